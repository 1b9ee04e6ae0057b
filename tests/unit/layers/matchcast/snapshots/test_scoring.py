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
    chances = scoring.probabilities(ODDS)
    for row, (p, result) in enumerate(zip(chances.tolist(), RESULTS.tolist(), strict=True)):
        happened = [float(result == outcome) for outcome in range(3)]
        assert scoring.log_losses(chances, RESULTS)[row] == pytest.approx(-math.log(p[result]))
        assert scoring.brier_scores(chances, RESULTS)[row] == pytest.approx(
            sum((a - b) ** 2 for a, b in zip(p, happened, strict=True))
        )
        first, second = p[0] - happened[0], p[0] + p[1] - happened[0] - happened[1]
        assert scoring.ranked_scores(chances, RESULTS)[row] == pytest.approx((first**2 + second**2) / 2)


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
    assert scoring.base_rate(RESULTS)[0].tolist() == [0.25, 0.25, 0.5]


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
    raw = 1 / odds
    power = scoring.probabilities(odds, "power")
    exponents = np.log(power) / np.log(raw)
    assert np.allclose(exponents, exponents[:, :1], rtol=1e-6)

    # Shin: with share z of insiders, raw = sqrt(total) * sqrt(z p + (1 - z) p^2), up to one factor for all outcomes.
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


def test_probabilities_are_held_against_what_came_tenth_by_tenth() -> None:
    chances = np.array([[0.55, 0.45, 0.0], [0.5, 0.5, 0.0], [0.1, 0.0, 0.9], [0.0, 0.0, 1.0]])
    found = scoring.calibration_bins(chances, np.array([0, 1, 2, 0]))

    home = [each for each in found if each.outcome == 0]
    assert [(each.lower, each.upper, each.rows, each.observed) for each in home] == [
        (0.0, 0.1, 1, 1.0),
        (0.1, 0.2, 1, 0.0),
        (0.5, 0.6, 2, 0.5),
    ]
    assert home[2].predicted == pytest.approx(0.525)
    # The last tenth holds 1 too, and tenths without any probability are left out.
    assert [(each.lower, each.rows, each.observed) for each in found if each.outcome == 2] == [
        (0.0, 2, 0.0),
        (0.9, 2, 0.5),
    ]
