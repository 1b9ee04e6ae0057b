"""The manifests: what is published, file by file with digests, so that readers see all of it or none.

Each manifest is one small JSON object in the data bucket. A publisher writes the files first,
under a prefix that is not read yet, then switches the manifest with a conditional PUT.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from matchcast.domain.prediction import ModelRef
from matchcast.domain.signature import Signature
from matchcast.errors import DigestMismatch, ManifestInvalid

MODEL_MANIFEST_KEY = "models/manifest.json"
SNAPSHOT_MANIFEST_KEY = "snapshots/manifest.json"
DATASET_MANIFEST_KEY = "datasets/manifest.json"
MODEL_RELEASES_PREFIX = "models/releases/"
"""Where each model manifest is kept, unchanged, before the next one takes its place."""

Runtime = Literal["onnx", "pyfunc"]
"""What runs a model: ONNX Runtime, or MLflow with the model's own Python code."""


def model_release_key(release: int) -> str:
    """Return the key under which a replaced model manifest is kept."""
    return f"{MODEL_RELEASES_PREFIX}{release:06d}.json"


def unreadable(name: str, error: ValidationError) -> ManifestInvalid:
    """Return the refusal of a file that is not what its schema says, with the first of its errors."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return ManifestInvalid(f"{name} cannot be read at '{where}': {first['msg']}")


class FileEntry(BaseModel):
    """One published file: its digest and size, and for a table its rows."""

    model_config = ConfigDict(frozen=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0, description="Bytes.")
    rows: int | None = Field(default=None, ge=0)

    @classmethod
    def of(cls, body: bytes, rows: int | None = None) -> Self:
        """Describe `body`."""
        return cls(sha256=hashlib.sha256(body).hexdigest(), size=len(body), rows=rows)

    def verify(self, body: bytes, key: str) -> bytes:
        """Return `body` if it is what was published.

        Raises
        ------
        DigestMismatch
            If its size or SHA-256 differs.
        """
        if len(body) != self.size or hashlib.sha256(body).hexdigest() != self.sha256:
            raise DigestMismatch(
                f"{key} is not the file that the manifest names ({len(body)} bytes, {self.size} expected); "
                "publish it again."
            )
        return body


class Manifest(BaseModel):
    """What every manifest shares.

    One that is replaced is kept, unchanged, under `kept_key`, which begins with `kept_under` and ends with `kept_as`;
    such keys sort by the time of their releases.
    """

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    kept_under: ClassVar[str]
    kept_as: ClassVar[str]

    schema_version: Literal[1] = 1

    @property
    def kept_key(self) -> str | None:
        """Return the key under which this manifest is kept when another takes its place; None where it is not kept."""
        return None

    @classmethod
    def parse(cls, body: bytes, key: str) -> Self:
        """Read a manifest.

        Raises
        ------
        ManifestInvalid
            If it is not JSON, or has another schema version or other fields.
        """
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise unreadable(key, error) from error

    def body(self) -> bytes:
        """Return the manifest as it is stored."""
        return self.model_dump_json(indent=1).encode()


class PublishedModel(BaseModel):
    """One model version under one stage."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    name: str
    version: str
    run_id: str
    runtime: Runtime
    prefix: str = Field(description="Key prefix of the files, with the slash at its end.")
    files: dict[str, FileEntry]
    signature: Signature
    metrics: dict[str, float] = {}
    trained_until: date | None = Field(
        default=None, description="The last match day that the model has seen; it may bet only on later ones."
    )

    def is_same(self, other: PublishedModel | None) -> bool:
        """Tell whether this is the same version; its metrics, and what is published with it, may have changed."""
        return other is not None and (self.name, self.version, self.run_id) == (other.name, other.version, other.run_id)

    def ref(self, stage: str) -> ModelRef:
        """Return the reference that predictions carry."""
        return ModelRef(name=self.name, version=self.version, stage=stage, run_id=self.run_id)


class Move(BaseModel):
    """From which version to which a stage went; null where it served none."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    before: str | None = Field(alias="from")
    after: str | None = Field(alias="to")


class Change(BaseModel):
    """Who made a release, when and why, and what it changed. Functions serve whatever it says."""

    model_config = ConfigDict(frozen=True)

    action: str = Field(description="publish, promote or rollback.")
    by: str
    at: datetime
    why: str | None = None
    stages: dict[str, Move] = Field(description="The stages that went to another version.")
    figures: dict[str, float] = Field(default={}, description="What was measured before it was let through.")
    restores: int | None = Field(
        default=None, ge=1, description="Of a rollback: the release that first brought the version that is back."
    )


class ModelManifest(Manifest):
    """Which model version each stage serves."""

    kept_under: ClassVar[str] = MODEL_RELEASES_PREFIX
    kept_as: ClassVar[str] = ".json"

    release: int = Field(ge=1, description="Rises by one with each switch.")
    published_at: datetime
    stages: dict[str, PublishedModel]
    change: Change | None = Field(default=None, description="Null in releases from before it was recorded.")

    @property
    def kept_key(self) -> str:
        """Return the key under which this manifest is kept when another takes its place."""
        return model_release_key(self.release)


class DatasetManifest(Manifest):
    """The matches, odds and features that snapshots are made from."""

    dataset_id: str
    created_at: datetime
    as_of: datetime
    prefix: str
    files: dict[str, FileEntry]


class SnapshotManifest(Manifest):
    """One precomputed state of everything that is served from memory."""

    kept_under: ClassVar[str] = "snapshots/"
    kept_as: ClassVar[str] = "/manifest.json"

    snapshot_id: str
    created_at: datetime
    as_of: datetime
    newest_result: date | None = Field(
        default=None, description="The last match day with a result; null in snapshots from before it was recorded."
    )
    prefix: str
    bookmaker: str
    model: ModelRef
    files: dict[str, FileEntry]

    @property
    def kept_key(self) -> str:
        """Return the key under which this manifest is kept when another takes its place."""
        return f"{self.prefix}manifest.json"
