"""The predictions, odds and returns of regions that a snapshot is made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from matchcast.adapters.in_memory import InMemoryObjects
from tests.support.datasets import FEATURES
from tests.support.refreshes import FIXTURES, TRAINED_UNTIL, Softmax, dataset_table, model, refresh, table


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


def test_roi_counts_only_matches_that_the_model_has_not_seen(objects: InMemoryObjects) -> None:
    roi = table(objects, refresh(objects), "region_roi.parquet").to_pandas()
    assert {"England", "Spain"} <= set(roi["region"])
    assert (roi["bets"] > 0).all()
    assert min(roi["from"]) > TRAINED_UNTIL
    np.testing.assert_allclose(roi["roi"], roi["returned"] / roi["staked"] - 1)
