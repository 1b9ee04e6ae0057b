"""Scores of probabilities, checked on figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from matchcast_tools.models.scores import scores


def test_one_match_by_hand() -> None:
    # GIVEN a draw that was given 0.3
    found = scores(np.array([[0.5, 0.3, 0.2]]), np.array([1]))
    # THEN brier = .5^2 + .7^2 + .2^2, rps = ((.5)^2 + (.5 + .3 - 1)^2) / 2
    assert found["log_loss"] == pytest.approx(-math.log(0.3))
    assert found["brier"] == pytest.approx(0.78)
    assert found["rps"] == pytest.approx((0.25 + 0.04) / 2)
    assert found["accuracy"] == 0


def test_a_sure_and_right_prediction_scores_perfectly() -> None:
    found = scores(np.eye(3), np.array([0, 1, 2]))
    assert found == {"log_loss": 0, "brier": 0, "rps": 0, "accuracy": 1}


def test_a_sure_and_wrong_prediction_stays_finite() -> None:
    assert math.isfinite(scores(np.array([[1.0, 0.0, 0.0]]), np.array([2]))["log_loss"])


def test_the_ranked_score_punishes_the_far_side_more() -> None:
    home, outcomes = np.array([[1.0, 0.0, 0.0]]), (np.array([1]), np.array([2]))
    near, far = (scores(home, outcome)["rps"] for outcome in outcomes)
    assert (near, far) == (0.5, 1.0)
