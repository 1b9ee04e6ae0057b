"""Serve the present snapshot from memory, and report its age and state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from matchcast.domain.manifests import SnapshotManifest
from matchcast.echo import quoted
from matchcast.errors import MatchcastError, MatchNotFound
from matchcast.ports import ObjectStore
from matchcast.releases.files import read_files
from matchcast.releases.readers import LastGood, ManifestReader
from matchcast.snapshots.contract import OPTIONAL_FILES, SERVED_FILES
from matchcast.snapshots.tables import SnapshotTables

SnapshotParser = Callable[[SnapshotManifest, Mapping[str, bytes]], SnapshotTables]
"""Makes tables of a snapshot's verified files; raises ManifestInvalid where they are not what they should be."""


class HealthStatus(StrEnum):
    """How well requests can be answered."""

    OK = "ok"
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class ServedSnapshot:
    """The snapshot that answers come from."""

    manifest: SnapshotManifest
    tables: SnapshotTables

    def match(self, match_id: str) -> bytes:
        """Return all columns of one match as a JSON object.

        Raises
        ------
        MatchNotFound
            If the snapshot has no prediction for it.
        """
        row = self.tables.match(match_id)
        if row is None:
            raise MatchNotFound(
                f"There is no precomputed prediction for {quoted(match_id)}. "
                "GET /predict/predictions/ lists the matches that have one."
            )
        return row


@dataclass(frozen=True, slots=True)
class Health:
    """What is served now; `problem` is why it is not the newest release."""

    status: HealthStatus
    manifest: SnapshotManifest | None
    age_seconds: float | None
    stale: bool
    problem: MatchcastError | None


class ServeSnapshot:
    """Holds the last good snapshot, and takes up a newer one when its manifest appears.

    Parameters
    ----------
    manifests, objects
        Where snapshots are.
    parse
        Makes tables of a snapshot's files.
    now
        The clock.
    stale_seconds
        The age past which a snapshot is called stale; it is served all the same.
    """

    def __init__(
        self,
        manifests: ManifestReader[SnapshotManifest],
        objects: ObjectStore,
        parse: SnapshotParser,
        now: Callable[[], datetime],
        stale_seconds: float,
    ) -> None:
        self._manifests = manifests
        self._objects = objects
        self._parse = parse
        self._now = now
        self._stale_seconds = stale_seconds
        self._kept: LastGood[SnapshotManifest, SnapshotManifest, ServedSnapshot] = LastGood(
            manifests, lambda manifest: manifest, self._load
        )

    @property
    def checked_at(self) -> datetime | None:
        """Return when the bucket was last asked for a newer snapshot."""
        return self._manifests.checked_at

    @property
    def problem(self) -> MatchcastError | None:
        """Return why the newest snapshot is not the one that is served, where it is not."""
        return self._manifests.problem or self._kept.problem

    def current(self) -> ServedSnapshot:
        """Return the newest good snapshot.

        Raises
        ------
        SnapshotUnavailable
            If none could ever be read.
        """
        return self._kept.get(self._manifests.current())

    def health(self) -> Health:
        """Return what would be served now; it never raises and asks nothing but what serving would ask."""
        try:
            manifest = self.current().manifest
        except MatchcastError as error:
            return Health(HealthStatus.UNAVAILABLE, None, None, stale=True, problem=self.problem or error)
        age = self.age_seconds(manifest)
        stale = self.stale_since(manifest) is not None
        status = HealthStatus.DEGRADED if stale or self.problem else HealthStatus.OK
        return Health(status, manifest, age, stale, self.problem)

    def age_seconds(self, manifest: SnapshotManifest) -> float:
        """Return how long ago a snapshot was made."""
        return max((self._now() - manifest.created_at).total_seconds(), 0.0)

    def stale_since(self, manifest: SnapshotManifest) -> datetime | None:
        """Return when a snapshot became older than it should be, or None while it is not."""
        if self.age_seconds(manifest) <= self._stale_seconds:
            return None
        return manifest.created_at + timedelta(seconds=self._stale_seconds)

    def _load(self, manifest: SnapshotManifest) -> ServedSnapshot:
        names = (*SERVED_FILES, *(name for name in OPTIONAL_FILES if name in manifest.files))
        files = read_files(self._objects, manifest.prefix, manifest.files, names)
        return ServedSnapshot(manifest, self._parse(manifest, files))
