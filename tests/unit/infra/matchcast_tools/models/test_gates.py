"""The gates: equal models pass again and again, each kind of degraded one is stopped, and by what."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest

from matchcast.errors import ModelFailed
from matchcast.ports import Model
from matchcast_tools.errors import BadInput
from matchcast_tools.models.gates import LOSS_AT_MOST, Gate, GateReport, GatesFailed, Limits
from matchcast_tools.models.golden import GoldenSet
from matchcast_tools.models.measuring import Subject, measure, median_ms
from matchcast_tools.models.train import fit
from matchcast_tools.models.training_set import TrainingSet, read_training_set
from tests.support.candidates import Made, degraded, probabilities
from tests.support.datasets import FEATURES, write_dataset

UNTIL = date(2024, 8, 1)
NULLS = 40


@pytest.fixture(scope="module")
def matches(tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    return read_training_set(write_dataset(tmp_path_factory.mktemp("gates"), played=3000))


@pytest.fixture(scope="module")
def earlier(matches: TrainingSet) -> TrainingSet:
    return matches.before(UNTIL)


@pytest.fixture(scope="module")
def golden(matches: TrainingSet) -> GoldenSet:
    later = matches.since(UNTIL)
    assert len(later) > 900
    return GoldenSet(FEATURES, later.rows, later.outcomes, UNTIL)


@pytest.fixture(scope="module")
def champion(earlier: TrainingSet) -> Model:
    return probabilities(fit(earlier))


def part_of(matches: TrainingSet, mask: Any) -> TrainingSet:
    return TrainingSet(
        matches.features, matches.rows[mask], matches.outcomes[mask], matches.dates[mask], matches.seasons[mask]
    )


def run(candidate: Model, present: Model | None, golden: GoldenSet, limits: Limits | None = None) -> GateReport:
    current = None if present is None else Subject(present, golden.values)
    return measure(Subject(candidate, golden.values), current, golden, limits or Limits())


def stopped_by(report: GateReport) -> set[str]:
    return {gate.name for gate in report.failed}


class TestAnEqualModel:
    def test_passes_every_time_with_a_margin(self, earlier: TrainingSet, champion: Model, golden: GoldenSet) -> None:
        # GIVEN models that were fitted on nine tenths of the champion's matches, other ones each time
        random = np.random.default_rng(0)
        worst = {"drift": 0.0, "drift_of_one": 0.0, "log_loss_difference": 0.0}
        # WHEN
        for _ in range(NULLS):
            report = run(probabilities(fit(part_of(earlier, random.random(len(earlier)) < 0.9))), champion, golden)
            assert report.passed, report.failed
            for gate in report.gates:
                if gate.name in worst and gate.figure is not None:
                    worst[gate.name] = max(worst[gate.name], gate.figure / gate.limit)
        # THEN the worst of them stays below three quarters of each limit
        assert max(worst.values()) < 0.75

    def test_that_is_the_champion_itself_differs_in_nothing(self, champion: Model, golden: GoldenSet) -> None:
        report = run(champion, champion, golden)
        assert report.passed
        assert report.figures["drift"] == report.figures["log_loss_difference"] == 0
        assert report.figures["log_loss"] == report.figures["present_log_loss"]


STOPPED = {
    "home and away swapped": {"drift", "drift_of_one", "log_loss_difference"},
    "half base rates": {"log_loss_difference"},
    "shuffled results": {"drift", "log_loss_difference"},
    "best feature zeroed": {"drift", "log_loss_difference"},
    "overconfident": {"drift", "log_loss_difference"},
    "constant": {"drift", "log_loss_difference"},
    "certain": {"drift", "drift_of_one", "log_loss_difference"},
    "nan for some rows": {"not_finite", "drift", "drift_of_one", "log_loss_difference"},
    "infinite": {"not_finite", "drift", "drift_of_one", "log_loss_difference"},
    "no probabilities": {"sum"},
    "negative": {"outside", "sum"},
    "two columns": {"not_finite", "drift", "drift_of_one", "log_loss_difference"},
    "slow": {"latency_ms"},
}


@pytest.mark.parametrize("kind", STOPPED)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_a_degraded_model_is_stopped(kind: str, earlier: TrainingSet, champion: Model, golden: GoldenSet) -> None:
    report = run(degraded(kind, earlier, champion), champion, golden)
    assert not report.passed
    assert stopped_by(report) >= STOPPED[kind]


class TestWithoutAChampion:
    def test_a_model_has_to_beat_the_base_rate(self, champion: Model, golden: GoldenSet) -> None:
        report = run(champion, None, golden)
        assert report.passed
        assert report.figures["log_loss"] < report.figures["base_rate_log_loss"]
        assert "drift" not in report.figures

    def test_the_base_rate_itself_does_not(self, golden: GoldenSet) -> None:
        shares = np.bincount(golden.outcomes, minlength=3) / golden.settled
        assert stopped_by(run(Made(lambda rows: np.tile(shares, (len(rows), 1))), None, golden)) == {"log_loss"}


class TestWithInfiniteLosses:
    def test_a_candidate_is_refused_and_its_loss_is_no_number(self, champion: Model, golden: GoldenSet) -> None:
        certain = Made(lambda rows: np.eye(3)[champion.predict(rows).argmax(axis=1)])
        for present in (champion, certain, None):
            (gate,) = (each for each in run(certain, present, golden).failed if each.name.startswith("log_loss"))
            assert gate.figure is None

    def test_a_present_model_is_no_measure_so_the_base_rate_is(self, champion: Model, golden: GoldenSet) -> None:
        certain = Made(lambda rows: np.eye(3)[champion.predict(rows).argmax(axis=1)])
        report = run(champion, certain, golden, Limits(drift=1, drift_of_one=1))
        assert report.passed
        assert report.figures["log_loss"] < report.figures["base_rate_log_loss"]


class TestSettledMatches:
    def test_too_few_are_refused_with_what_to_do(self, champion: Model, golden: GoldenSet) -> None:
        few = GoldenSet(FEATURES, golden.values, golden.outcomes[:199], UNTIL)
        (gate,) = run(champion, champion, few).failed
        assert (gate.name, gate.figure, gate.limit) == ("settled", 199, 200)
        assert "--hold-out-last-season" in gate.explanation

    def test_may_be_none_if_the_limit_says_so(self, champion: Model, golden: GoldenSet) -> None:
        none = GoldenSet(FEATURES, golden.values, golden.outcomes[:0], UNTIL)
        report = run(champion, champion, none, Limits(settled=0))
        assert report.passed
        assert "log_loss_difference" not in report.figures

    def test_of_which_there_is_one_have_no_error_but_a_limit(self, champion: Model, golden: GoldenSet) -> None:
        one = GoldenSet(FEATURES, golden.values, golden.outcomes[:1], UNTIL)
        report = run(champion, champion, one, Limits(settled=1))
        assert report.figures["log_loss_standard_error"] == 0
        assert report.passed


class TestLimits:
    def test_the_loss_grows_with_its_uncertainty_up_to_a_point(self) -> None:
        limits = Limits()
        assert limits.loss_difference(0) == limits.loss
        assert limits.loss_difference(0.002) == pytest.approx(0.011)
        assert limits.loss_difference(1) == LOSS_AT_MOST
        assert Limits(loss=0.1).loss_difference(1) == 0.1

    @pytest.mark.parametrize("name", ["loss", "drift", "drift_of_one", "latency_ms", "settled", "sum"])
    @pytest.mark.parametrize("value", [-1, math.nan])
    def test_below_zero_make_no_sense(self, name: str, value: Any) -> None:
        with pytest.raises(BadInput, match=f"limit of {name}"):
            Limits(**{name: value})

    def test_let_through_what_is_wanted(self, earlier: TrainingSet, champion: Model, golden: GoldenSet) -> None:
        swapped = degraded("home and away swapped", earlier, champion)
        assert run(swapped, champion, golden, Limits(loss=9, drift=1, drift_of_one=1)).passed


def test_no_number_never_passes() -> None:
    gate = Gate.at_most("drift", math.nan, 1.0, "")
    assert not gate.passed
    assert gate.figure is None


def test_rows_after_the_golden_set_are_tried_for_finiteness_only(champion: Model, golden: GoldenSet) -> None:
    # GIVEN a champion and a candidate that differ only in an example row, which the candidate cannot predict
    def of(rows: Any) -> Any:
        made = champion.predict(rows)
        return np.where(np.isnan(rows).any(axis=1, keepdims=True), np.nan, made)

    champion_that_takes_nan = Made(lambda rows: of(np.nan_to_num(rows)))
    example = np.full((1, len(FEATURES)), np.nan, np.float32)
    subject = Subject(Made(lambda rows: _first(of, rows)), np.concatenate([golden.values, example]))
    # WHEN
    report = measure(subject, Subject(champion_that_takes_nan, golden.values), golden, Limits())
    # THEN
    assert stopped_by(report) == {"not_finite"}


def _first(of: Callable[[Any], Any], rows: Any) -> Any:
    made = of(np.nan_to_num(rows))
    made[np.isnan(rows).any(axis=1)] = np.nan
    return made


def test_a_model_that_fails_is_no_figure(golden: GoldenSet) -> None:
    def fail(_: Any) -> Any:
        raise ModelFailed("broken")

    with pytest.raises(ModelFailed):
        run(Made(fail), None, golden)


def test_the_median_ignores_a_call_that_was_held_up() -> None:
    calls = iter(range(1000))

    def of(rows: Any) -> Any:
        if next(calls) == 7:
            time.sleep(0.2)
        return rows

    assert median_ms(Made(of), np.zeros((1, 3), np.float32), calls=20) < 50


def test_a_refusal_carries_its_report(champion: Model, golden: GoldenSet) -> None:
    report = run(champion, champion, golden)
    assert GatesFailed("no", report).report is report
