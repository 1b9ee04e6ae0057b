"""Make a snapshot: everything that is served from memory, computed from one dataset by one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from matchcast.adapters.parquet_features import parse_features
from matchcast.adapters.parquet_snapshot import parse_snapshot
from matchcast.domain.manifests import SNAPSHOT_MANIFEST_KEY, DatasetManifest, FileEntry, SnapshotManifest
from matchcast.errors import ReleaseRefused
from matchcast.ports import ObjectStore
from matchcast.releases.publishing import publish_release, read_manifest, timed_id
from matchcast.releases.served_models import LoadedModel
from matchcast.snapshots.betting import simulate
from matchcast.snapshots.contract import (
    MATCH_FEATURES_FILE,
    MATCH_IDS_FILE,
    ODDS_COLUMNS,
    ODDS_FILE,
    PREDICTION_COLUMNS,
    PREDICTIONS_FILE,
    REGION_ROI_COLUMNS,
    REGION_ROI_FILE,
    SCORECARD_FILE,
)
from matchcast.snapshots.dataset import FEATURES_FILE, MATCHES_FILE, plain_schema, read_dataset
from matchcast.snapshots.dataset import ODDS_FILE as DATASET_ODDS_FILE
from matchcast.snapshots.due_predictions import latest_odds, predict_due
from matchcast.snapshots.parquet import as_parquet, as_table
from matchcast.snapshots.settled_matches import make_scorecard


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot that passed its checks: the manifest and the files that it names."""

    manifest: SnapshotManifest
    bodies: dict[str, bytes]


def refresh_snapshot(
    objects: ObjectStore,
    model: LoadedModel,
    *,
    bookmaker: str,
    edge_threshold: float,
    now: datetime | None = None,
) -> SnapshotManifest:
    """Make a snapshot of the published dataset and switch to it; until then the old one is served whole.

    Raises
    ------
    ReleaseRefused
        If the dataset or what the model makes of it is not fit to be served.
    ReleaseRaceLost
        If another snapshot was published meanwhile.
    """
    present = read_manifest(objects, SNAPSHOT_MANIFEST_KEY, SnapshotManifest)
    dataset, bodies = read_dataset(objects)
    snapshot = build_snapshot(
        dataset, bodies, model, bookmaker=bookmaker, edge_threshold=edge_threshold, now=now or datetime.now(UTC)
    )
    manifest, files = snapshot.manifest, {snapshot.manifest.prefix: snapshot.bodies}
    publish_release(objects, SNAPSHOT_MANIFEST_KEY, manifest, files, present)
    return manifest


def build_snapshot(
    dataset: DatasetManifest,
    bodies: Mapping[str, bytes],
    model: LoadedModel,
    *,
    bookmaker: str,
    edge_threshold: float,
    now: datetime,
) -> Snapshot:
    """Return the snapshot that a model makes of a dataset's files; writes nothing.

    Predictions are made for fixtures and for matches after the last day that the model has seen.

    Raises
    ------
    ReleaseRefused
        If the dataset is empty, lacks a feature, the model gives no probabilities, or serve_predictions could not
        read the result.
    """
    features = parse_features(bodies[FEATURES_FILE])
    matches, odds = _read(bodies[MATCHES_FILE]), _read(bodies[DATASET_ODDS_FILE])
    if not len(matches) or not features.index:
        raise ReleaseRefused(f"The dataset {dataset.dataset_id} is empty: no match, no snapshot.")
    predictions = predict_due(matches, features, model)
    shown = latest_odds(odds, bookmaker, predictions)
    frame, until = matches.to_pandas(), model.published.trained_until
    roi = simulate(
        predictions, frame, odds.to_pandas(), bookmaker=bookmaker, edge_threshold=edge_threshold, trained_until=until
    )
    scorecard = make_scorecard(predictions, frame, shown, bookmaker=bookmaker, trained_until=until)
    ids = sorted(features.index)
    tables = {
        PREDICTIONS_FILE: as_table(predictions, PREDICTION_COLUMNS, model.published.signature.names),
        ODDS_FILE: as_table(shown, ODDS_COLUMNS),
        REGION_ROI_FILE: as_table(roi, REGION_ROI_COLUMNS),
    }
    contents = {
        **{name: (as_parquet(table), len(table)) for name, table in tables.items()},
        SCORECARD_FILE: (scorecard.model_dump_json(by_alias=True).encode(), scorecard.rows),
        MATCH_FEATURES_FILE: (bodies[FEATURES_FILE], len(ids)),
        MATCH_IDS_FILE: ("".join(f"{match_id}\n" for match_id in ids).encode(), len(ids)),
    }
    files = {name: FileEntry.of(body, rows=rows) for name, (body, rows) in contents.items()}
    snapshot_id = timed_id(now, files, also=model.published.prefix)
    # Odds may be newer than the features; neither may claim to come from the future.
    as_of = min(now, max([dataset.as_of, *shown["taken_at"].dt.to_pydatetime()]))
    manifest = SnapshotManifest(
        snapshot_id=snapshot_id,
        created_at=now,
        as_of=as_of,
        prefix=f"snapshots/{snapshot_id}/",
        bookmaker=bookmaker,
        model=model.published.ref(model.stage),
        files=files,
    )
    snapshot = Snapshot(manifest, {name: body for name, (body, _) in contents.items()})
    # What serves it reads it first: a snapshot that it would refuse is not switched to.
    parse_snapshot(manifest, snapshot.bodies, bookmaker=bookmaker)
    return snapshot


def _read(body: bytes) -> pa.Table:
    table = pq.read_table(pa.BufferReader(body))
    return table.cast(plain_schema(table.schema))
