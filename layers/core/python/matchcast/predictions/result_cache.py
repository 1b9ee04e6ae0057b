"""On-demand predictions kept for a while, by match and run; another snapshot is a miss.

Where the manifests or the table cannot be read, the cache is skipped: that is counted, and never an error. A table
that did not answer is left alone for a while, so that not every request waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from matchcast.deadline import briefly
from matchcast.domain.manifests import ModelManifest, SnapshotManifest
from matchcast.domain.prediction import Prediction
from matchcast.errors import Transient
from matchcast.ports import ResultCache
from matchcast.releases.readers import ManifestReader, has_stage

Count = Callable[[str], None]
"""Counts `hits` or `errors` of the cache."""


REST = timedelta(seconds=30)
"""How long a table that did not answer is left alone."""
LOOK_SECONDS = 1.0
"""How long the table is waited for: a cache that is slower than the model is none."""


class CachedResults:
    """The result cache as the present releases see it."""

    def __init__(
        self,
        *,
        cache: ResultCache,
        models: ManifestReader[ModelManifest],
        snapshots: ManifestReader[SnapshotManifest],
        now: Callable[[], datetime],
        lifetime: timedelta,
        count: Count,
    ) -> None:
        self._cache = cache
        self._models = models
        self._snapshots = snapshots
        self._now = now
        self._lifetime = lifetime
        self._count = count
        self._rests_until: datetime | None = None

    def has_stage(self, stage: str) -> bool:
        """Tell whether a stage is published; False where the manifest cannot be read."""
        return has_stage(self._models, stage)

    def find(self, match_id: str, stage: str) -> Prediction | None:
        """Return the prediction of a match by the version that the stage serves, from the present snapshot."""
        if not self._lifetime or self._is_resting():
            return None
        try:
            published = self._models.current().stages.get(stage)
            if published is None:
                return None
            snapshot_id = self._snapshots.current().snapshot_id
        except Transient:
            self._count("errors")
            return None
        found = self._kept(match_id, published.run_id)
        if found is None or found.snapshot_id != snapshot_id:
            return None
        served = published.ref(stage)
        if (found.model.name, found.model.version) != (served.name, served.version):
            # A run may hold several models; a prediction of another version of it is a miss.
            return None
        self._count("hits")
        # Two stages may serve the same version: the answer names the one that was asked.
        return found.model_copy(update={"cached": True, "model": served})

    def keep(self, prediction: Prediction) -> None:
        """Keep a prediction of a match."""
        if not self._lifetime or self._is_resting():
            return
        try:
            with briefly(LOOK_SECONDS):
                self._cache.keep(prediction, self._now() + self._lifetime)
        except Transient:
            self._rest()

    def _kept(self, match_id: str, run_id: str) -> Prediction | None:
        try:
            with briefly(LOOK_SECONDS):
                return self._cache.find(match_id, run_id, self._now())
        except Transient:
            self._rest()
            return None

    def _rest(self) -> None:
        self._count("errors")
        self._rests_until = self._now() + REST

    def _is_resting(self) -> bool:
        """Tell whether the table is left alone, and count that as an error."""
        if self._rests_until is None or self._now() >= self._rests_until:
            return False
        self._count("errors")
        return True
