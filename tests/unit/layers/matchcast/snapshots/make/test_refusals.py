"""A snapshot that must not be served is refused, and the one that is served stays."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import (
    DATASET_MANIFEST_KEY,
    SNAPSHOT_MANIFEST_KEY,
    DatasetManifest,
    FileEntry,
    SnapshotManifest,
)
from matchcast.errors import DigestMismatch, ManifestInvalid, ModelFailed, ReleaseRaceLost, ReleaseRefused
from matchcast.snapshots.contract import PREDICTION_COLUMNS
from matchcast.snapshots.dataset import MATCHES_SCHEMA, ODDS_SCHEMA
from matchcast_tools.dataset.upload import publish_dataset
from tests.support.datasets import FEATURES, features_schema
from tests.support.refreshes import NOW, dataset_table, model, refresh


def replace_dataset(objects: InMemoryObjects, **tables: pa.Table) -> None:
    """Publish the present dataset with other tables in it, past the checks of the tool."""
    stored = objects.get(DATASET_MANIFEST_KEY)
    assert stored is not None
    manifest = DatasetManifest.parse(stored.body, DATASET_MANIFEST_KEY)
    files = dict(manifest.files)
    for name, changed in tables.items():
        sink = io.BytesIO()
        pq.write_table(changed, sink)
        objects.put(f"{manifest.prefix}{name}.parquet", sink.getvalue())
        files[f"{name}.parquet"] = FileEntry.of(sink.getvalue(), rows=len(changed))
    objects.put(DATASET_MANIFEST_KEY, manifest.model_copy(update={"files": files}).body())


class TestRefusals:
    """Each leaves the snapshot that is served, its manifest and its files."""

    @pytest.fixture
    def served(self, objects: InMemoryObjects) -> SnapshotManifest:
        return refresh(objects)

    def check_served(self, objects: InMemoryObjects, served: SnapshotManifest) -> None:
        stored = objects.get(SNAPSHOT_MANIFEST_KEY)
        assert stored is not None
        assert stored.body == served.body()
        for name in served.files:
            file = objects.get(served.prefix + name)
            assert file is not None
            served.files[name].verify(file.body, name)

    @pytest.mark.parametrize(
        "change",
        [
            lambda p: p * np.float32(np.nan),
            lambda p: p * np.float32(0.5),
            lambda p: p - np.float32(0.5),
            lambda p: np.where(p == p.max(), np.float32(np.inf), p),
        ],
        ids=["NaN", "sums to a half", "negative", "infinite"],
    )
    def test_a_model_that_gives_no_probabilities(
        self, objects: InMemoryObjects, served: SnapshotManifest, change: Callable[[Any], Any]
    ) -> None:
        with pytest.raises(ReleaseRefused, match="invalid probabilities"):
            refresh(objects, model(change), now=NOW + timedelta(hours=1))
        self.check_served(objects, served)

    def test_a_model_that_fails(self, objects: InMemoryObjects, served: SnapshotManifest) -> None:
        def fail(_: Any) -> Any:
            raise ModelFailed("It broke.")

        with pytest.raises(ModelFailed):
            refresh(objects, model(fail))
        self.check_served(objects, served)

    def test_a_feature_that_the_dataset_lacks(self, objects: InMemoryObjects, served: SnapshotManifest) -> None:
        with pytest.raises(ReleaseRefused, match="weather"):
            refresh(objects, model(names=(*FEATURES, "weather")))
        self.check_served(objects, served)

    def test_an_empty_dataset(self, objects: InMemoryObjects, served: SnapshotManifest) -> None:
        # GIVEN a dataset without matches
        replace_dataset(
            objects,
            matches=MATCHES_SCHEMA.empty_table(),
            odds=ODDS_SCHEMA.empty_table(),
            match_features=features_schema().empty_table(),
        )

        # WHEN a snapshot is made of it
        with pytest.raises(ReleaseRefused, match="empty"):
            refresh(objects)

        # THEN
        self.check_served(objects, served)

    def test_matches_without_features(self, objects: InMemoryObjects, served: SnapshotManifest, data_dir: Path) -> None:
        features = dataset_table(data_dir, "match_features")
        replace_dataset(objects, match_features=features.slice(0, len(features) - 5))
        with pytest.raises(ReleaseRefused, match="no features"):
            refresh(objects)
        self.check_served(objects, served)

    def test_features_that_are_not_finite(
        self, objects: InMemoryObjects, served: SnapshotManifest, data_dir: Path
    ) -> None:
        features = dataset_table(data_dir, "match_features")
        broken = pa.array([np.nan] * len(features), pa.float32())
        replace_dataset(objects, match_features=features.set_column(1, FEATURES[0], broken))
        with pytest.raises(ReleaseRefused, match="not finite"):
            refresh(objects)
        self.check_served(objects, served)

    def test_odds_that_no_book_offers(self, objects: InMemoryObjects, served: SnapshotManifest, data_dir: Path) -> None:
        odds = dataset_table(data_dir, "odds")
        replace_dataset(objects, odds=odds.set_column(2, "home", pa.array([1.0] * len(odds))))
        with pytest.raises(ReleaseRefused, match="at or below 1"):
            refresh(objects)
        self.check_served(objects, served)

    def test_a_changed_file_of_the_dataset(self, objects: InMemoryObjects, served: SnapshotManifest) -> None:
        (key,) = (each.key for each in objects.list_objects("datasets/") if each.key.endswith("matches.parquet"))
        objects.put(key, b"other bytes")
        with pytest.raises(DigestMismatch):
            refresh(objects)
        self.check_served(objects, served)

    def test_no_dataset(self) -> None:
        with pytest.raises(ManifestInvalid, match="No dataset"):
            refresh(InMemoryObjects())

    def test_tables_that_could_not_be_served(
        self, objects: InMemoryObjects, served: SnapshotManifest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without = {name: kind for name, kind in PREDICTION_COLUMNS.items() if name != "kickoff"}
        monkeypatch.setattr("matchcast.snapshots.make.PREDICTION_COLUMNS", without)

        with pytest.raises(ManifestInvalid, match="no column 'kickoff'"):
            refresh(objects, now=NOW + timedelta(hours=1))

        self.check_served(objects, served)

    def test_a_lost_race(self, data_dir: Path, served: SnapshotManifest) -> None:
        # GIVEN a bucket in which another publisher always switches first
        class Raced(InMemoryObjects):
            def switch(self, key: str, body: bytes, etag: str | None) -> bool:
                if key == SNAPSHOT_MANIFEST_KEY:
                    self.put(key, served.body())
                return super().switch(key, body, etag)

        objects = Raced()

        # WHEN a snapshot is made
        publish_dataset(objects, data_dir, NOW)
        with pytest.raises(ReleaseRaceLost):
            refresh(objects, now=NOW + timedelta(hours=1))

        # THEN
        stored = objects.get(SNAPSHOT_MANIFEST_KEY)
        assert stored is not None
        assert stored.body == served.body()
