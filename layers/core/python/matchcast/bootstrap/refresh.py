"""The part that makes snapshots, of refresh_snapshot."""

from __future__ import annotations

from functools import partial

from matchcast.adapters.model_loaders import loader_for
from matchcast.adapters.parquet_features import parse_features
from matchcast.adapters.parquet_snapshot import parse_snapshot
from matchcast.bootstrap import releases
from matchcast.domain.task import utc_now
from matchcast.releases.served_models import ServedModels
from matchcast.settings import RefreshSnapshotSettings
from matchcast.snapshots.refresh import RefreshSnapshot

MODEL_SECONDS = 420.0
"""How long the model may take to load, and then to predict all matches; both fit into the function's 900 seconds."""


def refresh_snapshot() -> RefreshSnapshot:
    """Return the use case of refresh_snapshot, a new one for each invocation.

    So the model manifest is asked anew each time, and nothing is left of earlier models: a snapshot that follows
    a release has to be made by that release's model, or not at all.
    """
    settings = RefreshSnapshotSettings()
    objects = releases.objects()
    load = loader_for(settings.model_runtime, MODEL_SECONDS)
    models = ServedModels(releases.model_manifests(refresh_seconds=0), objects, load)
    return RefreshSnapshot(
        objects=objects,
        model=lambda: models.get(settings.snapshot_stage),
        parse_features=parse_features,
        parse_snapshot=partial(parse_snapshot, bookmaker=settings.odds_bookmaker),
        bookmaker=settings.odds_bookmaker,
        edge_threshold=settings.edge_threshold,
        keep=settings.snapshots_kept,
        now=utc_now,
    )
