"""Snapshots made of a small dataset by a model of one feature, and what is read of them."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.adapters.parquet_features import parse_features
from matchcast.adapters.parquet_snapshot import parse_snapshot
from matchcast.domain.manifests import PublishedModel, SnapshotManifest
from matchcast.domain.signature import Column, Signature
from matchcast.releases.served_models import LoadedModel
from matchcast.snapshots.due_predictions import PredictMany
from matchcast.snapshots.refresh import RefreshSnapshot
from tests.support.datasets import FEATURES, LAST_SEASON_STARTS

NOW = datetime(2026, 11, 21, 7, tzinfo=UTC)
TRAINED_UNTIL = LAST_SEASON_STARTS - timedelta(days=1)
FIXTURES = 30


class Softmax:
    """A model of the first feature; `change` is done to its probabilities."""

    def __init__(self, change: Callable[[Any], Any] = lambda probabilities: probabilities) -> None:
        self._change = change

    def predict(self, rows: Any) -> Any:
        powers = np.exp(np.column_stack([0.8 * rows[:, 0] + 0.4, 0 * rows[:, 0], -0.8 * rows[:, 0]]))
        return self._change((powers / powers.sum(axis=1, keepdims=True)).astype(np.float32))


def model(
    change: Callable[[Any], Any] = lambda probabilities: probabilities,
    *,
    names: tuple[str, ...] = FEATURES,
    trained_until: date | None = TRAINED_UNTIL,
) -> LoadedModel:
    """Return the champion, loaded."""
    published = PublishedModel(
        name="matchcast",
        version="7",
        run_id="run-7",
        runtime="onnx",
        prefix="models/matchcast/7-x/",
        files={},
        signature=Signature(inputs=tuple(Column(name=name, type="float") for name in names)),
        trained_until=trained_until,
    )
    return LoadedModel(published, Softmax(change), "champion", NOW)


def never(*_: Any) -> Any:
    """Stand for the batch of a snapshot that needs none."""
    raise AssertionError("few matches need no batch")


def refresh(
    objects: InMemoryObjects,
    loaded: LoadedModel | None = None,
    *,
    bookmaker: str = "fonbet",
    edge_threshold: float = -0.06,
    now: datetime = NOW,
    at_once: int = 10**6,
    by_batch: PredictMany = never,
) -> SnapshotManifest:
    """Make and publish a snapshot; the bookmakers know the probabilities, so a bet needs a threshold below zero."""
    use_case = RefreshSnapshot(
        objects=objects,
        model=lambda: loaded or model(),
        parse_features=parse_features,
        parse_snapshot=partial(parse_snapshot, bookmaker=bookmaker),
        bookmaker=bookmaker,
        edge_threshold=edge_threshold,
        at_once=at_once,
        by_batch=by_batch,
        keep=2,
        now=lambda: now,
    )
    return use_case.refresh()


def table(objects: InMemoryObjects, manifest: SnapshotManifest, name: str) -> pa.Table:
    """Return a table of a snapshot, its digest checked."""
    stored = objects.get(manifest.prefix + name)
    assert stored is not None
    manifest.files[name].verify(stored.body, name)
    return pq.read_table(io.BytesIO(stored.body))


def dataset_table(data_dir: Path, name: str) -> pa.Table:
    """Return a table of a local dataset."""
    return pq.read_table(data_dir / f"{name}.parquet")
