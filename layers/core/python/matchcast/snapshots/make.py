"""Make a snapshot: everything that is served from memory, computed from one dataset by one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq

from matchcast.domain.manifests import DatasetManifest, FileEntry, SnapshotManifest
from matchcast.errors import ReleaseRefused
from matchcast.releases.publishing import timed_id
from matchcast.releases.served_models import LoadedModel
from matchcast.snapshots.betting import bets, summarise
from matchcast.snapshots.contract import (
    MATCH_FEATURES_FILE,
    MATCH_IDS_FILE,
    ODDS_COLUMNS,
    PREDICTION_COLUMNS,
    PREDICTIONS_FILE,
    REGION_ROI_COLUMNS,
    REGION_ROI_FILE,
    SCORECARD_FILE,
    SHOWN_ODDS_FILE,
)
from matchcast.snapshots.dataset import FEATURES_FILE, MATCHES_FILE, ODDS_FILE, plain_schema
from matchcast.snapshots.due_predictions import PredictMany, latest_odds, predict_due
from matchcast.snapshots.features import FeatureTable
from matchcast.snapshots.parquet import as_parquet, as_table
from matchcast.snapshots.settled_matches import make_scorecard, newest_result


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot before it is published: the manifest and the files that it names."""

    manifest: SnapshotManifest
    bodies: dict[str, bytes]


def make_snapshot(
    dataset: DatasetManifest,
    bodies: Mapping[str, bytes],
    features: FeatureTable,
    model: LoadedModel,
    *,
    bookmaker: str,
    edge_threshold: float,
    now: datetime,
    at_once: int,
    by_batch: PredictMany,
) -> Snapshot:
    """Return the snapshot that a model makes of a dataset's files; writes nothing.

    Predictions are made for fixtures and for matches after the last day that the model has seen, up to `at_once` here,
    and more of them `by_batch`, which may raise errors of its own.

    Raises
    ------
    ReleaseRefused
        If the dataset is empty or lacks a feature, or the model gives invalid probabilities.
    """
    matches, odds = _read(bodies[MATCHES_FILE]), _read(bodies[ODDS_FILE])
    if not len(matches) or not features.index:
        raise ReleaseRefused(f"The dataset {dataset.dataset_id} is empty: no match, no snapshot.")
    predictions = predict_due(matches, features, model, at_once=at_once, by_batch=by_batch)
    shown = latest_odds(odds, bookmaker, predictions)
    frame, until = matches.to_pandas(), model.published.trained_until
    placed = bets(predictions, frame, shown, edge_threshold=edge_threshold, trained_until=until)
    scorecard = make_scorecard(predictions, frame, shown, bookmaker=bookmaker, trained_until=until)
    ids = sorted(features.index)
    tables = {
        PREDICTIONS_FILE: as_table(predictions, PREDICTION_COLUMNS, model.published.signature.names),
        SHOWN_ODDS_FILE: as_table(shown, ODDS_COLUMNS),
        REGION_ROI_FILE: as_table(summarise(placed), REGION_ROI_COLUMNS),
    }
    contents = {
        **{name: (as_parquet(table), len(table)) for name, table in tables.items()},
        SCORECARD_FILE: (scorecard.model_dump_json(by_alias=True).encode(), scorecard.rows),
        MATCH_FEATURES_FILE: (bodies[FEATURES_FILE], len(ids)),
        MATCH_IDS_FILE: ("".join(f"{match_id}\n" for match_id in ids).encode(), len(ids)),
    }
    files = {name: FileEntry.of(body, rows=rows) for name, (body, rows) in contents.items()}
    snapshot_id = timed_id(now, files, also=model.published.prefix)
    manifest = SnapshotManifest(
        snapshot_id=snapshot_id,
        created_at=now,
        # Odds may be newer than the features; neither may claim to come from the future.
        as_of=min(now, max([dataset.as_of, *shown["taken_at"].dt.to_pydatetime()])),
        newest_result=newest_result(frame, now),
        prefix=f"snapshots/{snapshot_id}/",
        bookmaker=bookmaker,
        model=model.published.ref(model.stage),
        files=files,
    )
    return Snapshot(manifest, {name: body for name, (body, _) in contents.items()})


def _read(body: bytes) -> pa.Table:
    table = pq.read_table(pa.BufferReader(body))
    return table.cast(plain_schema(table.schema))
