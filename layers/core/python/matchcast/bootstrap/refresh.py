"""The part that makes snapshots, of refresh_snapshot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from matchcast.adapters.model_loaders import loader_for
from matchcast.adapters.parquet_features import parse_features
from matchcast.adapters.parquet_snapshot import parse_snapshot
from matchcast.batches.predict_matches import PredictMatches
from matchcast.bootstrap import batch_storage, folders, releases
from matchcast.domain.manifests import PublishedModel
from matchcast.domain.task import utc_now
from matchcast.releases.served_models import LoadedModel, ServedModels
from matchcast.settings import RefreshSnapshotSettings
from matchcast.snapshots.refresh import RefreshSnapshot

if TYPE_CHECKING:
    from matchcast.ports import Rows
    from matchcast.snapshots.scoring import Floats

MODEL_SECONDS = 420.0
"""How long the model may take to load, and then to predict all matches; both fit into the function's 900 seconds."""


def refresh_snapshot(seconds_left: Callable[[], float]) -> RefreshSnapshot:
    """Return the use case of refresh_snapshot, a new one for each invocation, which may go on for some seconds.

    So the model manifest is asked anew each time, and nothing is left of earlier models: a snapshot that follows
    a release has to be made by that release's model, or not at all.
    """
    settings = RefreshSnapshotSettings()
    objects = releases.objects()
    load = loader_for(settings.model_runtime, MODEL_SECONDS)
    manifests = releases.model_manifests(refresh_seconds=0)
    models = ServedModels(manifests, objects, load)

    def is_published(stage: str, published: PublishedModel) -> bool:
        return manifests.current().stages.get(stage) == published

    def by_batch(model: LoadedModel, match_ids: Sequence[str], rows: Rows) -> Floats:
        # Its clients are made for those snapshots alone that need a batch.
        predict_matches = PredictMatches(
            batches=batch_storage.records(),
            queue=batch_storage.queue(),
            objects=objects,
            files=batch_storage.files(),
            folder=folders.temporary_folder,
            is_published=is_published,
            lifetime=timedelta(seconds=settings.task_lifetime_seconds),
            seconds_left=seconds_left,
            now=utc_now,
        )
        return predict_matches.predict(model, match_ids, rows)

    return RefreshSnapshot(
        objects=objects,
        model=lambda: models.get(settings.snapshot_stage),
        parse_features=parse_features,
        parse_snapshot=partial(parse_snapshot, bookmaker=settings.odds_bookmaker),
        bookmaker=settings.odds_bookmaker,
        edge_threshold=settings.edge_threshold,
        at_once=settings.snapshot_predictions_at_once,
        by_batch=by_batch,
        keep=settings.snapshots_kept,
        now=utc_now,
    )
