"""Replace the snapshot that is served by a new one, and remove those that are no longer needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from matchcast.domain.manifests import SNAPSHOT_MANIFEST_KEY, SnapshotManifest
from matchcast.ports import ReleaseStore
from matchcast.releases.publishing import publish_release, read_manifest
from matchcast.releases.retention import prune_snapshots
from matchcast.releases.served_models import LoadedModel
from matchcast.snapshots.dataset import FEATURES_FILE, read_dataset
from matchcast.snapshots.due_predictions import PredictMany
from matchcast.snapshots.features import FeatureTable
from matchcast.snapshots.make import make_snapshot

if TYPE_CHECKING:
    from matchcast.snapshots.serve import SnapshotParser


@dataclass(frozen=True, slots=True)
class RefreshSnapshot:
    """Makes snapshots of the published dataset.

    Attributes
    ----------
    objects
        The data bucket.
    model
        Returns the model that makes the snapshot.
    parse_features, parse_snapshot
        What readers use: a snapshot that serve_predictions would refuse is not published.
    bookmaker, edge_threshold
        Whose odds are shown, and the edge above which the betting simulation stakes.
    at_once, by_batch
        How many matches are predicted here; and what predicts them where they are more.
    keep
        How many of the newest snapshots keep their files.
    now
        The clock.
    """

    objects: ReleaseStore
    model: Callable[[], LoadedModel]
    parse_features: Callable[[bytes], FeatureTable]
    parse_snapshot: SnapshotParser
    bookmaker: str
    edge_threshold: float
    at_once: int
    by_batch: PredictMany
    keep: int
    now: Callable[[], datetime]

    def refresh(self) -> SnapshotManifest:
        """Make a snapshot and switch to it; until then the present one is served whole.

        Raises
        ------
        ReleaseRefused
            If the dataset or what the model makes of it is not fit to be served.
        ReleaseRaceLost
            If another snapshot was published meanwhile.
        PredictionsPending
            If a batch makes the predictions, and has not ended yet; the next refresh goes on with it.
        """
        model = self.model()
        present = read_manifest(self.objects, SNAPSHOT_MANIFEST_KEY, SnapshotManifest)
        dataset, bodies = read_dataset(self.objects)
        snapshot = make_snapshot(
            dataset,
            bodies,
            self.parse_features(bodies[FEATURES_FILE]),
            model,
            bookmaker=self.bookmaker,
            edge_threshold=self.edge_threshold,
            now=self.now(),
            at_once=self.at_once,
            by_batch=self.by_batch,
        )
        self.parse_snapshot(snapshot.manifest, snapshot.bodies)
        files = {snapshot.manifest.prefix: snapshot.bodies}
        publish_release(self.objects, SNAPSHOT_MANIFEST_KEY, snapshot.manifest, files, present)
        return snapshot.manifest

    def remove_old(self) -> list[str]:
        """Delete the files of snapshots that are no longer needed; return their keys."""
        return prune_snapshots(self.objects, self.keep)
