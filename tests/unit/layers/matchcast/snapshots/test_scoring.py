from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchcast.snapshots import scoring

ODDS = np.array([[2.0, 3.5, 4.0], [1.5, 4.2, 7.0], [3.0, 3.0, 2.6], [2.6, 3.4, 2.6]])
RESULTS = np.array([0, 2, 1, 2])

three_odds = st.lists(
    st.tuples(st.tuples(*[st.floats(0.1, 1.0)] * 3), st.floats(0.95, 1.15)), min_size=1, max_size=20
).map(lambda rows: np.array([[sum(shares) / (share * overround) for share in shares] for shares, overround in rows]))
"""Odds of books with a margin, and of best prices without one."""


def test_scores_agree_with_their_definitions_written_out() -> None:
    # GIVEN the probabilities of some odds
    chances = scoring.probabilities(ODDS)

    # WHEN they are scored
    # THEN
    for row, (p, result) in enumerate(zip(chances.tolist(), RESULTS.tolist(), strict=True)):
        happened = [float(result == outcome) for outcome in range(3)]
        assert scoring.log_losses(chances, RESULTS)[row] == pytest.approx(-math.log(p[result]))
        assert scoring.brier_scores(chances, RESULTS)[row] == pytest.approx(
            sum((a - b) ** 2 for a, b in zip(p, happened, strict=True))
        )
        first, second = p[0] - happened[0], p[0] + p[1] - happened[0] - happened[1]
        assert scoring.ranked_scores(chances, RESULTS)[row] == pytest.approx((first**2 + second**2) / 2)


def test_a_certain_forecast_that_comes_true_is_on_the_line_of_reliability() -> None:
    found = scoring.reliability(np.array([1.0, 0.0, 0.0]), np.array([True, False, False]))
    assert [(each.predicted, each.observed) for each in found] == [(0, 0), (1, 1)]


def test_the_log_loss_of_what_was_given_no_chance_is_infinite() -> None:
    losses = scoring.log_losses(np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [np.nan] * 3]), np.array([2, 0, 0]))
    assert losses[:2].tolist() == [math.inf, 0]
    assert math.isnan(losses[2])


def test_a_sure_and_right_forecast_scores_perfectly() -> None:
    found = scoring.mean_scores(np.eye(3), np.array([0, 1, 2]))
    assert found == {"log_loss": 0, "brier": 0, "rps": 0, "accuracy": 1}


def test_one_match_by_hand() -> None:
    # GIVEN a draw that was given 0.3
    found = scoring.mean_scores(np.array([[0.5, 0.3, 0.2]]), np.array([1]))
    # THEN brier = .5^2 + .7^2 + .2^2, rps = ((.5)^2 + (.5 + .3 - 1)^2) / 2
    expected = {"log_loss": -math.log(0.3), "brier": 0.78, "rps": (0.25 + 0.04) / 2, "accuracy": 0}
    assert found == pytest.approx(expected)


def test_the_interval_of_a_mean_holds_95_percent_of_a_normal_distribution() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0])
    error = 1.2909944487 / 2
    assert scoring.standard_error(values) == pytest.approx(error)
    assert scoring.interval(values) == pytest.approx((2.5, 2.5 - 1.96 * error, 2.5 + 1.96 * error))


def test_one_value_has_no_bounds_and_an_infinite_one_no_interval() -> None:
    assert scoring.interval(np.array([2.0])) == (2.0, -math.inf, math.inf)
    mean, *bounds = scoring.interval(np.array([1.0, math.inf]))
    assert mean == math.inf
    assert all(map(math.isnan, bounds))


def test_results_are_numbered_home_draw_away() -> None:
    assert scoring.as_numbers("HDAH").tolist() == [0, 1, 2, 0]


def test_raw_outputs_are_answered_without_negatives_and_with_a_sum_of_one() -> None:
    assert scoring.normalised(np.array([[0.5, 0.5, -1e-7], [0.2, 0.2, 0.4]])).tolist() == [
        [0.5, 0.5, 0],
        [0.25, 0.25, 0.5],
    ]


def test_the_ranked_score_is_worse_the_further_off() -> None:
    certain_home = np.array([[1.0, 0.0, 0.0]] * 3)
    assert scoring.ranked_scores(certain_home, np.array([0, 1, 2])).tolist() == [0.0, 0.5, 1.0]


def test_ties_go_to_home_first() -> None:
    assert scoring.favourites(ODDS).tolist() == [0, 0, 2, 0]
    assert scoring.hits(scoring.probabilities(ODDS), RESULTS).tolist() == [1, 0, 0, 0]


def test_profits_are_those_of_one_unit() -> None:
    assert scoring.profits(ODDS, RESULTS, 0).tolist() == [1.0, -1, -1, -1]
    assert scoring.profits(ODDS, RESULTS, scoring.favourites(ODDS)).tolist() == [1.0, -1, -1, -1]
    assert scoring.profits(ODDS, RESULTS, 2).tolist() == [-1, 6.0, -1, 1.6]


def test_the_base_rate_is_the_share_of_each_outcome() -> None:
    assert scoring.base_rate(RESULTS).tolist() == [[0.25, 0.25, 0.5]] * 4
    assert scoring.base_rate(RESULTS, 1).tolist() == [[0.25, 0.25, 0.5]]


@given(three_odds)
def test_every_method_gives_probabilities(odds: scoring.Floats) -> None:
    for margin in scoring.MARGINS:
        chances = scoring.probabilities(odds, margin)
        assert np.allclose(chances.sum(axis=1), 1, atol=1e-12)
        assert (chances > 0).all()
        for row, prices in zip(chances.tolist(), odds.tolist(), strict=True):
            assert row[prices.index(min(prices))] == pytest.approx(max(row))


@given(three_odds)
def test_power_and_shin_solve_their_equations(odds: scoring.Floats) -> None:
    # GIVEN
    raw = 1 / odds

    # WHEN the margin is removed by powers
    # THEN one exponent fits all outcomes of a match
    power = scoring.probabilities(odds, "power")
    exponents = np.log(power) / np.log(raw)
    assert np.allclose(exponents, exponents[:, :1], rtol=1e-6)

    # WHEN it is removed by Shin's method
    # THEN one share z of insiders fits: raw = sqrt(total) * sqrt(z p + (1 - z) p^2), up to one factor for all outcomes
    shin, total = scoring.probabilities(odds, "shin"), raw.sum(axis=1, keepdims=True)
    squares = raw**2 / total
    z = ((squares - shin**2) / (shin - shin**2)).mean(axis=1, keepdims=True)
    assert np.allclose(squares, z * shin + (1 - z) * shin**2, atol=1e-6)


def test_without_a_margin_all_methods_agree() -> None:
    fair = np.array([[2.0, 4.0, 4.0]])
    for margin in scoring.MARGINS:
        assert scoring.probabilities(fair, margin)[0].tolist() == pytest.approx([0.5, 0.25, 0.25])


def test_shin_and_power_take_more_from_long_odds() -> None:
    odds = np.array([[1.2, 6.5, 13.0]])
    plain = scoring.probabilities(odds)
    for margin in ("power", "shin"):
        assert scoring.probabilities(odds, margin)[0, 2] < plain[0, 2]
        assert scoring.probabilities(odds, margin)[0, 0] > plain[0, 0]


def test_probabilities_are_compared_with_results_in_tenths() -> None:
    # GIVEN
    chances = np.array([[0.55, 0.45, 0.0], [0.5, 0.5, 0.0], [0.1, 0.0, 0.9], [0.0, 0.0, 1.0]])

    # WHEN
    found = scoring.calibration_bins(chances, np.array([0, 1, 2, 0]))

    # THEN
    home = [each for each in found if each.outcome == "home"]
    assert [(each.lower, each.upper, each.rows, each.observed) for each in home] == [
        (0.0, 0.1, 1, 1.0),
        (0.1, 0.2, 1, 0.0),
        (0.5, 0.6, 2, 0.5),
    ]
    assert home[2].predicted == pytest.approx(0.525)
    # The last tenth holds 1 too, and tenths without any probability are left out.
    assert [(each.lower, each.rows, each.observed) for each in found if each.outcome == "away"] == [
        (0.0, 2, 0.0),
        (0.9, 2, 0.5),
    ]
