"""What an invocation answers."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from matchcast.domain.manifests import SnapshotManifest


class RefreshAnswer(BaseModel):
    """The snapshot that is served from now on."""

    model_config = ConfigDict(frozen=True)

    snapshot_id: str
    model: str = Field(description="Name and version of the model that made it.")
    bookmaker: str = Field(description="Whose odds it shows.")
    rows: dict[str, int] = Field(description="Rows by file.")
    seconds: float = Field(ge=0, description="How long it took to make and publish.")

    @classmethod
    def of(cls, manifest: SnapshotManifest, seconds: float) -> Self:
        """Describe a snapshot that was published."""
        return cls(
            snapshot_id=manifest.snapshot_id,
            model=f"{manifest.model.name} {manifest.model.version}",
            bookmaker=manifest.bookmaker,
            rows={name: entry.rows or 0 for name, entry in sorted(manifest.files.items())},
            seconds=round(seconds, 3),
        )
