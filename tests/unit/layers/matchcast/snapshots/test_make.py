"""Snapshots: what a dataset and a model make, and that the old one stays on a refusal."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.adapters.parquet_features import parse_features
from matchcast.adapters.parquet_snapshot import parse_snapshot
from matchcast.domain.manifests import (
    DATASET_MANIFEST_KEY,
    SNAPSHOT_MANIFEST_KEY,
    DatasetManifest,
    FileEntry,
    PublishedModel,
    SnapshotManifest,
)
from matchcast.domain.scorecard import Scorecard
from matchcast.domain.signature import Column, Signature
from matchcast.errors import DigestMismatch, ManifestInvalid, ModelFailed, ReleaseRaceLost, ReleaseRefused
from matchcast.releases.readers import ManifestReader
from matchcast.releases.served_models import LoadedModel
from matchcast.snapshots.contract import PREDICTION_COLUMNS
from matchcast.snapshots.dataset import MATCHES_SCHEMA, ODDS_SCHEMA
from matchcast.snapshots.features import FeatureRows, MatchIds
from matchcast.snapshots.refresh import RefreshSnapshot
from matchcast_tools.dataset.upload import publish_dataset
from tests.support.datasets import (
    FEATURES,
    LAST_SEASON_STARTS,
    features_schema,
    write_dataset,
)

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


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), fixtures=FIXTURES)


@pytest.fixture
def objects(data_dir: Path) -> InMemoryObjects:
    """A bucket with a published dataset."""
    objects = InMemoryObjects()
    publish_dataset(objects, data_dir, NOW)
    return objects


# The bookmakers of these datasets know the probabilities, so a bet needs a threshold below zero.
def refresh(
    objects: InMemoryObjects,
    loaded: LoadedModel | None = None,
    *,
    bookmaker: str = "fonbet",
    edge_threshold: float = -0.06,
    now: datetime = NOW,
) -> SnapshotManifest:
    use_case = RefreshSnapshot(
        objects=objects,
        model=lambda: loaded or model(),
        parse_features=parse_features,
        parse_snapshot=partial(parse_snapshot, bookmaker=bookmaker),
        bookmaker=bookmaker,
        edge_threshold=edge_threshold,
        keep=2,
        now=lambda: now,
    )
    return use_case.refresh()


def table(objects: InMemoryObjects, manifest: SnapshotManifest, name: str) -> pa.Table:
    stored = objects.get(manifest.prefix + name)
    assert stored is not None
    manifest.files[name].verify(stored.body, name)
    return pq.read_table(io.BytesIO(stored.body))


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


def dataset_table(data_dir: Path, name: str) -> pa.Table:
    return pq.read_table(data_dir / f"{name}.parquet")


class TestPredictions:
    def test_are_of_fixtures_and_of_matches_that_the_model_has_not_seen(
        self, objects: InMemoryObjects, data_dir: Path
    ) -> None:
        predictions = table(objects, refresh(objects), "predictions.parquet")

        matches = dataset_table(data_dir, "matches")
        due = matches.filter(
            pc.or_(pc.greater(matches["date"], pa.scalar(TRAINED_UNTIL)), pc.equal(matches["status"], "fixture"))
        )
        assert predictions["match_id"].to_pylist() == sorted(due["match_id"].to_pylist())
        assert FIXTURES < len(predictions) < len(matches)

    def test_are_only_of_fixtures_when_it_is_unknown_what_the_model_has_seen(self, objects: InMemoryObjects) -> None:
        manifest = refresh(objects, model(trained_until=None))
        assert len(table(objects, manifest, "predictions.parquet")) == FIXTURES
        assert len(table(objects, manifest, "region_roi.parquet")) == 0

    def test_have_the_columns_of_the_contract(self, objects: InMemoryObjects) -> None:
        # WHEN a snapshot is made
        schema = table(objects, refresh(objects), "predictions.parquet").schema

        # THEN
        assert schema.names == [
            *("match_id", "kickoff", "region", "league", "home_team", "away_team", "home", "draw", "away"),
            *("pick", "confidence", "model_name", "model_version", "model_run_id", "as_of"),
            *FEATURES,
        ]
        assert schema.field("home").type == pa.float64()
        assert schema.field("kickoff").type == pa.timestamp("ms", tz="UTC")
        assert {schema.field(name).type for name in FEATURES} == {pa.float32()}
        assert pa.types.is_dictionary(schema.field("region").type)

    def test_are_what_the_model_says_of_the_features(self, objects: InMemoryObjects) -> None:
        # WHEN a snapshot is made
        frame = table(objects, refresh(objects), "predictions.parquet").to_pandas()
        expected = Softmax().predict(frame[list(FEATURES)].to_numpy())

        # THEN
        probabilities = frame[["home", "draw", "away"]].to_numpy()
        np.testing.assert_allclose(probabilities, expected, atol=1e-6)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-9)
        assert (frame["confidence"] == probabilities.max(axis=1)).all()
        assert (frame["pick"] == np.array(["home", "draw", "away"])[probabilities.argmax(axis=1)]).all()
        assert set(frame["model_version"]) == {"7"}

    def test_take_the_features_in_the_order_of_the_signature(self, objects: InMemoryObjects) -> None:
        names = tuple(reversed(FEATURES))
        frame = table(objects, refresh(objects, model(names=names)), "predictions.parquet").to_pandas()
        expected = Softmax().predict(frame[list(names)].to_numpy())
        np.testing.assert_allclose(frame[["home", "draw", "away"]], expected, atol=1e-6)


class TestOdds:
    def test_are_the_last_ones_before_the_kickoff_of_the_matches_shown(
        self, objects: InMemoryObjects, data_dir: Path
    ) -> None:
        # WHEN a snapshot is made
        manifest = refresh(objects)
        odds = table(objects, manifest, "odds.parquet").to_pandas()
        predictions = table(objects, manifest, "predictions.parquet").to_pandas().set_index("match_id")

        # THEN
        assert 0 < len(odds) < len(predictions)
        assert odds["match_id"].is_unique
        assert odds["match_id"].is_monotonic_increasing
        assert set(odds["bookmaker"]) == {"fonbet"}
        # Quoted 48 h and 24 h before, and at kick-off, which is too late.
        before = predictions.loc[odds["match_id"], "kickoff"].to_numpy() - odds["taken_at"].to_numpy()
        assert set(before) == {np.timedelta64(24, "h")}

    def test_of_a_book_that_the_data_lack_are_none(self, objects: InMemoryObjects) -> None:
        manifest = refresh(objects, bookmaker="unknown")
        assert manifest.bookmaker == "unknown"
        assert len(table(objects, manifest, "odds.parquet")) == 0
        assert len(table(objects, manifest, "region_roi.parquet")) == 0
        assert len(table(objects, manifest, "predictions.parquet")) > 0


class TestManifest:
    def test_names_every_file_with_its_rows(self, objects: InMemoryObjects) -> None:
        # WHEN a snapshot is made
        manifest = refresh(objects)
        rows = {name: entry.rows for name, entry in manifest.files.items()}

        # THEN
        assert set(rows) == {
            "predictions.parquet",
            "odds.parquet",
            "region_roi.parquet",
            "scorecard.json",
            "match_features.parquet",
            "match_ids.txt",
        }
        assert rows["match_ids.txt"] == rows["match_features.parquet"] == 630
        assert rows["region_roi.parquet"] == len(table(objects, manifest, "region_roi.parquet")) > 0
        assert manifest.snapshot_id.startswith("20261121T070000Z-")
        assert manifest.prefix == f"snapshots/{manifest.snapshot_id}/"
        assert manifest.model.stage == "champion"

    def test_is_as_of_the_latest_information_but_never_of_the_future(
        self, objects: InMemoryObjects, data_dir: Path
    ) -> None:
        known = max(dataset_table(data_dir, "odds")["taken_at"].to_pylist()) - timedelta(days=1)
        assert refresh(objects).as_of == known
        early = known - timedelta(days=100)
        assert refresh(objects, now=early).as_of == early

    def test_is_what_the_readers_read(self, objects: InMemoryObjects) -> None:
        manifest = refresh(objects)
        reader = ManifestReader(objects, SNAPSHOT_MANIFEST_KEY, SnapshotManifest, 30)
        match_id = table(objects, manifest, "predictions.parquet")["match_id"][0].as_py()

        assert match_id in MatchIds(reader, objects)
        row = FeatureRows(reader, objects, parse_features).rows([match_id], FEATURES)[match_id]
        assert row.snapshot_id == manifest.snapshot_id

    def test_the_same_inputs_give_the_same_snapshot_byte_for_byte(self, objects: InMemoryObjects) -> None:
        first = refresh(objects)
        assert refresh(objects) == first
        assert refresh(objects, now=NOW + timedelta(hours=1)).files == first.files


def test_a_snapshot_that_is_replaced_keeps_its_manifest_with_its_files(objects: InMemoryObjects) -> None:
    first = refresh(objects)
    assert objects.get(first.kept_key) is None

    refresh(objects, now=NOW + timedelta(hours=1))

    kept = objects.get(f"{first.prefix}manifest.json")
    assert kept is not None
    assert kept.body == first.body()


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


class TestScorecard:
    def scorecard(self, objects: InMemoryObjects, manifest: SnapshotManifest) -> Scorecard:
        stored = objects.get(manifest.prefix + "scorecard.json")
        assert stored is not None
        return Scorecard.model_validate_json(manifest.files["scorecard.json"].verify(stored.body, "scorecard.json"))

    def test_is_of_the_predictions_and_odds_of_the_snapshot(self, objects: InMemoryObjects, data_dir: Path) -> None:
        # WHEN a snapshot is made
        manifest = refresh(objects)
        card = self.scorecard(objects, manifest)

        # THEN its scorecard agrees with the figures of its tables
        shown = table(objects, manifest, "predictions.parquet").to_pandas()
        settled = shown.merge(dataset_table(data_dir, "matches").to_pandas()[["match_id", "result"]]).dropna()
        both = settled.merge(
            table(objects, manifest, "odds.parquet").to_pandas(), on="match_id", suffixes=("", "_odds")
        )
        name = both["result"].map({"H": "home", "D": "draw", "A": "away"})
        raw = 1 / both[["home_odds", "draw_odds", "away_odds"]].to_numpy()
        chances = raw / raw.sum(axis=1, keepdims=True)
        book = [row[["home", "draw", "away"].index(came)] for row, came in zip(chances, name, strict=True)]
        assert (card.settled, card.rows) == (len(settled), len(both)) == (198, 165)
        assert card.overall is not None
        assert card.overall.model.log_loss.value == pytest.approx(
            -np.mean([np.log(row[came]) for (_, row), came in zip(both.iterrows(), name, strict=True)]), abs=1e-9
        )
        assert card.overall.bookmaker.log_loss.value == pytest.approx(-np.mean(np.log(book)), abs=1e-9)
        assert card.overall.since > TRAINED_UNTIL
        assert manifest.files["scorecard.json"].rows == card.rows

    def test_without_odds_scores_nothing_and_says_so(self, objects: InMemoryObjects) -> None:
        card = self.scorecard(objects, refresh(objects, bookmaker="unknown"))
        assert (card.bookmaker, card.settled, card.rows, card.overall) == ("unknown", 198, 0, None)
        assert (card.regions, card.seasons) == ([], [])

    def test_of_a_model_of_unknown_training_is_empty(self, objects: InMemoryObjects) -> None:
        manifest = refresh(objects, model(trained_until=None))
        assert self.scorecard(objects, manifest) == Scorecard.empty("fonbet")

    def test_of_a_model_that_has_seen_everything_is_empty(self, objects: InMemoryObjects) -> None:
        card = self.scorecard(objects, refresh(objects, model(trained_until=date(2100, 1, 1))))
        assert (card.settled, card.rows, card.overall) == (0, 0, None)
        assert card.base_rate is not None
        assert card.base_rate.rows == 600


def test_roi_counts_only_matches_that_the_model_has_not_seen(objects: InMemoryObjects) -> None:
    roi = table(objects, refresh(objects), "region_roi.parquet").to_pandas()
    assert {"England", "Spain"} <= set(roi["region"])
    assert (roi["bets"] > 0).all()
    assert min(roi["from"]) > TRAINED_UNTIL
    np.testing.assert_allclose(roi["roi"], roi["returned"] / roi["staked"] - 1)
