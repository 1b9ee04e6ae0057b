"""Serve the present snapshot from memory, and report its age and state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
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
class StaleAfter:
    """The ages in seconds past which a snapshot, and the newest result in it, are called stale."""

    snapshot: float
    results: float


@dataclass(frozen=True, slots=True)
class Health:
    """What is served now; `problem` is why it is not the newest release.

    `results_stale` is whether the snapshot may be new and its data is not: no match in it was played lately.
    """

    status: HealthStatus
    manifest: SnapshotManifest | None
    age_seconds: float | None
    stale: bool
    results_age_seconds: float | None
    results_stale: bool
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
    stale_after
        The ages past which a snapshot and its results are called stale; it is served all the same.
    """

    def __init__(
        self,
        manifests: ManifestReader[SnapshotManifest],
        objects: ObjectStore,
        parse: SnapshotParser,
        now: Callable[[], datetime],
        stale_after: StaleAfter,
    ) -> None:
        self._manifests = manifests
        self._objects = objects
        self._parse = parse
        self._now = now
        self._stale_after = stale_after
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
            problem = self.problem or error
            return Health(
                HealthStatus.UNAVAILABLE,
                manifest=None,
                age_seconds=None,
                stale=True,
                results_age_seconds=None,
                results_stale=True,
                problem=problem,
            )
        stale = self.stale_since(manifest) is not None
        results_age = self.results_age_seconds(manifest)
        old_results = results_age is not None and results_age > self._stale_after.results
        status = HealthStatus.DEGRADED if stale or old_results or self.problem else HealthStatus.OK
        age = self.age_seconds(manifest)
        return Health(status, manifest, age, stale, results_age, old_results, self.problem)

    def age_seconds(self, manifest: SnapshotManifest) -> float:
        """Return how long ago a snapshot was made."""
        return max((self._now() - manifest.created_at).total_seconds(), 0.0)

    def results_age_seconds(self, manifest: SnapshotManifest) -> float | None:
        """Return how long ago the day of the newest result began, or None where it is not known."""
        if manifest.newest_result is None:
            return None
        began = datetime.combine(manifest.newest_result, time(), UTC)
        return max((self._now() - began).total_seconds(), 0.0)

    def stale_since(self, manifest: SnapshotManifest) -> datetime | None:
        """Return when a snapshot became older than it should be, or None while it is not."""
        if self.age_seconds(manifest) <= self._stale_after.snapshot:
            return None
        return manifest.created_at + timedelta(seconds=self._stale_after.snapshot)

    def _load(self, manifest: SnapshotManifest) -> ServedSnapshot:
        names = (*SERVED_FILES, *(name for name in OPTIONAL_FILES if name in manifest.files))
        files = read_files(self._objects, manifest.prefix, manifest.files, names)
        return ServedSnapshot(manifest, self._parse(manifest, files))
