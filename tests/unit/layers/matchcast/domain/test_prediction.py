"""Probabilities."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchcast.domain.prediction import renormalise

PROBABILITY = st.floats(min_value=0, max_value=1, width=32)


@given(home=PROBABILITY, draw=PROBABILITY, away=st.floats(min_value=0.015625, max_value=1, width=32))
def test_probabilities_sum_to_one_within_1e_9_and_keep_their_ratios(home: float, draw: float, away: float) -> None:
    values = renormalise(home, draw, away)

    assert math.isclose(math.fsum(values), 1, abs_tol=1e-9)
    assert values[0] * away == pytest.approx(values[2] * home)


@pytest.mark.parametrize("bad", [(math.nan, 0.5, 0.5), (math.inf, 0, 0), (-0.1, 0.6, 0.5), (0, 0, 0)])
def test_what_is_no_probability_is_refused(bad: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="invalid probabilities"):
        renormalise(*bad)
