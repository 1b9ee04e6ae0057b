"""Training: what is learnt from, how it is validated, what MLflow keeps of it."""

from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from matchcast.snapshots.dataset import MATCHES_SCHEMA, ODDS_SCHEMA
from matchcast_tools.dataset.store import write_table
from matchcast_tools.errors import BadInput
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.train import Trained, fit, frame, train
from matchcast_tools.models.training_set import check_enough, read_training_set
from tests.support.datasets import (
    FEATURES,
    FIRST_DAY,
    LAST_SEASON_STARTS,
    features_schema,
    write_dataset,
)
from tests.support.mlflow_warnings import MLFLOW_WARNINGS

pytestmark = MLFLOW_WARNINGS


class TestTrainingSet:
    def test_holds_the_played_matches_of_the_window_in_the_order_of_time(self, data_dir: Path) -> None:
        # WHEN
        everything = read_training_set(data_dir)
        window = read_training_set(data_dir, date(2023, 1, 1), date(2023, 12, 31))

        # THEN
        assert len(everything) == 600
        assert everything.features == FEATURES
        assert everything.rows.dtype == np.float32
        assert everything.first_day == FIRST_DAY
        assert (np.diff(everything.dates) >= np.timedelta64(0, "D")).all()
        assert date(2023, 1, 1) <= window.first_day < window.last_day <= date(2023, 12, 31)
        assert 0 < len(window) < len(everything)

    def test_includes_both_ends_of_the_window(self, data_dir: Path) -> None:
        day = read_training_set(data_dir).last_day
        assert read_training_set(data_dir, day - timedelta(days=30), day).last_day == day

    def test_joins_features_and_results_by_match(self, data_dir: Path) -> None:
        # The first feature makes home wins likely, so a mix-up of rows would show.
        training_set = read_training_set(data_dir)
        strength = training_set.rows[:, 0]
        assert strength[training_set.outcomes == 0].mean() > 0.2
        assert strength[training_set.outcomes == 2].mean() < -0.2

    def test_validates_on_the_last_season(self, data_dir: Path) -> None:
        training_set = read_training_set(data_dir)
        assert training_set.validation_starts() == training_set.last_season_starts()
        assert abs(training_set.last_season_starts() - LAST_SEASON_STARTS) <= timedelta(days=4)

    def test_validates_on_the_last_fifth_of_a_single_season(self, data_dir: Path) -> None:
        season = read_training_set(data_dir, until_day=date(2023, 6, 30))
        later = season.since(season.validation_starts())
        assert season.validation_starts() > season.first_day
        assert 0.15 < len(later) / len(season) < 0.25

    def test_an_empty_dataset_is_refused_with_what_to_do(self, tmp_path: Path) -> None:
        for name, schema in (("odds", ODDS_SCHEMA), ("matches", MATCHES_SCHEMA)):
            write_table(tmp_path / f"{name}.parquet", schema.empty_table())
        write_table(tmp_path / "match_features.parquet", features_schema().empty_table())
        with pytest.raises(BadInput, match="matchcast import"):
            train(tmp_path, tracking=Tracking.at(tmp_path))

    def test_a_missing_dataset_is_refused_with_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="matchcast import"):
            train(tmp_path / "nowhere", tracking=Tracking.at(tmp_path))

    def test_a_window_without_matches_is_refused(self, data_dir: Path, tracking: Tracking) -> None:
        with pytest.raises(BadInput, match="from 1990-01-01 until 1991-01-01"):
            train(data_dir, from_day=date(1990, 1, 1), until_day=date(1991, 1, 1), tracking=tracking)

    def test_matches_with_one_result_only_are_too_few(self, data_dir: Path) -> None:
        training_set = read_training_set(data_dir)
        training_set.outcomes[:] = 0
        with pytest.raises(BadInput, match="too few"):
            check_enough(training_set, "in the test")


class TestFit:
    def test_is_calibrated_on_what_it_learnt_from(self, data_dir: Path) -> None:
        training_set = read_training_set(data_dir)
        probabilities = fit(training_set).predict_proba(frame(training_set))
        frequencies = np.bincount(training_set.outcomes) / len(training_set)
        np.testing.assert_allclose(probabilities.mean(axis=0), frequencies, atol=1e-3)

    def test_gives_the_same_model_for_the_same_matches_in_any_order(self, data_dir: Path, tmp_path: Path) -> None:
        # GIVEN the same dataset with its rows shuffled
        for name in ("odds", "matches", "match_features"):
            table = pq.read_table(data_dir / f"{name}.parquet")
            order = np.random.default_rng(1).permutation(len(table))
            write_table(tmp_path / f"{name}.parquet", table.take(order))
        # THEN nothing of it shows
        one, other = read_training_set(data_dir), read_training_set(tmp_path)
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(fit(one).predict_proba(frame(one)), fit(other).predict_proba(frame(other)))


class TestTrain:
    def test_registers_a_version_under_the_usual_aliases(self, trained: Trained, tracking: Tracking) -> None:
        aliases = tracking.connect().get_registered_model("matchcast").aliases
        assert trained.aliases == ("champion", "candidate", "smoke")
        assert {name: str(aliases[name]) for name in trained.aliases} == dict.fromkeys(trained.aliases, trained.version)

    def test_learns_nothing_of_the_season_that_is_held_out(self, trained: Trained) -> None:
        assert trained.trained_from == FIRST_DAY
        assert trained.trained_until < LAST_SEASON_STARTS

    def test_keeps_metrics_params_tags_and_signature_in_mlflow(self, trained: Trained, tracking: Tracking) -> None:
        import mlflow

        # WHEN
        run = tracking.connect().get_run(trained.run_id)
        signature = mlflow.models.get_model_info(f"models:/matchcast/{trained.version}").signature.to_dict()

        # THEN
        assert run.data.tags["trained_until"] == trained.trained_until.isoformat()
        assert len(run.data.tags["dataset"]) == 64
        assert run.data.metrics == pytest.approx(trained.metrics)
        assert {"log_loss", "brier", "rps", "accuracy"} <= set(trained.metrics)
        assert int(run.data.params["rows"]) == trained.rows
        assert signature["inputs"].count('"type": "float"') == len(FEATURES)
        assert signature["outputs"].count('"type": "double"') == 3

    def test_beats_the_base_rate_on_matches_that_it_has_not_seen(self, trained: Trained) -> None:
        assert trained.metrics["log_loss"] < trained.metrics["base_rate_log_loss"] - 0.02
        assert 0 < trained.validation_rows < trained.rows

    @pytest.mark.parametrize("alias", ["a b", "", "latest", "v12", "x/y", "a" * 256])
    def test_a_name_that_can_be_no_alias_is_refused_before_anything_is_trained(self, alias: str) -> None:
        with pytest.raises(BadInput, match="is no alias"):
            train(Path("there-is-no-dataset-here"), aliases=["champion", alias])

    def test_sets_only_the_aliases_that_it_is_given(self, trained: Trained, tracking: Tracking, data_dir: Path) -> None:
        again = train(data_dir, until_day=date(2024, 1, 31), aliases=["nightly"], tracking=tracking)

        aliases = {name: str(to) for name, to in tracking.connect().get_registered_model("matchcast").aliases.items()}
        assert aliases["nightly"] == again.version != trained.version
        assert aliases["champion"] == trained.version

    def test_a_metric_that_is_not_finite_is_named_by_a_tag_of_the_run(
        self, tracking: Tracking, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # GIVEN results that were given no chance
        monkeypatch.setattr("matchcast_tools.models.train.mean_scores", lambda *_: {"log_loss": math.inf, "rps": 0.3})
        # WHEN a model is trained
        made = train(data_dir, aliases=[], tracking=tracking)
        # THEN what is finite is a metric, and the run names the others
        run = tracking.connect().get_run(made.run_id)
        assert run.data.metrics == {"rps": 0.3}
        assert run.data.tags["metrics_not_finite"] == "log_loss, base_rate_log_loss"


def test_too_few_matches_before_the_validation_are_refused(tmp_path: Path) -> None:
    write_dataset(tmp_path, played=4, fixtures=0)
    with pytest.raises(BadInput, match=r"too few|no match"):
        train(tmp_path, tracking=Tracking.at(tmp_path))
