"""The part that serves the snapshot, of serve_predictions."""

from __future__ import annotations

from functools import cache, partial

from matchcast.adapters.parquet_snapshot import parse_snapshot
from matchcast.bootstrap import releases
from matchcast.domain.task import utc_now
from matchcast.settings import ServePredictionsSettings
from matchcast.snapshots.serve import ServeSnapshot, StaleAfter


@cache
def serve_predictions_settings() -> ServePredictionsSettings:
    """Return the settings of serve_predictions."""
    return ServePredictionsSettings()


@cache
def serve_snapshot() -> ServeSnapshot:
    """Return the use case of serve_predictions."""
    settings = serve_predictions_settings()
    parse = partial(parse_snapshot, bookmaker=settings.odds_bookmaker)
    limits = StaleAfter(settings.snapshot_stale_seconds, settings.results_stale_seconds)
    return ServeSnapshot(releases.snapshots(), releases.objects(), parse, utc_now, limits)
