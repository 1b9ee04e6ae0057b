from __future__ import annotations

from datetime import UTC, date, datetime, time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchcast_tools.importing.books import Price, Triple
from matchcast_tools.importing.cells import kickoff
from matchcast_tools.importing.quotes import read_quotes, taken_before

TRIPLE = Triple("B365", Price("bet365"), (0, 1, 2))


def refusals(*rows: tuple[str, str, str]) -> dict[str, list[int]]:
    _, refused = read_quotes(rows, TRIPLE)
    return {reason: places.tolist() for reason, places in refused.items()}


def test_good_odds_are_accepted_with_their_rows() -> None:
    quotes, refused = read_quotes([("", "", ""), ("2.1", "3.3", "3.6"), (" 1.5 ", "4", "7,5")], TRIPLE)

    assert quotes.places.tolist() == [1, 2]
    assert quotes.odds.tolist() == [[2.1, 3.3, 3.6], [1.5, 4.0, 7.5]]
    assert refused == {}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("2.1", "", "3.6"), "one or two of the three odds are missing"),
        (("2.1", "n/a", "3.6"), "text where odds belong"),
        (("x", "y", "z"), "text where odds belong"),
        (("0", "3.75", "4.2"), "odds that are not above 1"),
        (("1", "3.75", "4.2"), "odds that are not above 1"),
        (("-2", "3.75", "4.2"), "odds that are not above 1"),
        (("inf", "3.75", "4.2"), "odds that are not above 1"),
        (("3.5", "1.2", "2.15"), "an overround outside [0.9, 1.5]"),
        (("4.88", "4.5", "3.7"), "an overround outside [0.9, 1.5]"),
    ],
)
def test_odds_that_cannot_be_right_are_refused_with_the_reason(row: tuple[str, str, str], reason: str) -> None:
    assert refusals(("2.1", "3.3", "3.6"), row) == {reason: [1]}


def test_best_prices_below_a_sum_of_one_are_right() -> None:
    assert refusals(("2.25", "3.75", "3.9")) == {}


cell = st.one_of(st.just(""), st.sampled_from(["x", "#REF!", "nan", "1_0", "1e999"]), st.floats(-5, 50).map(str))


@given(st.lists(st.tuples(cell, cell, cell), max_size=20))
def test_every_row_with_a_value_is_either_accepted_or_refused(rows: list[tuple[str, str, str]]) -> None:
    # WHEN
    quotes, refused = read_quotes(rows, TRIPLE)

    # THEN
    accounted = quotes.places.tolist() + [row for places in refused.values() for row in places.tolist()]
    something = [place for place, row in enumerate(rows) if any(text not in ("", "nan") for text in row)]
    assert sorted(accounted) == something
    assert (quotes.odds > 1).all()
    overround = (1 / quotes.odds).sum(axis=1)
    assert ((overround >= 0.9) & (overround <= 1.5)).all()
    assert np.isfinite(quotes.odds).all()


@pytest.mark.parametrize(
    ("day", "taken"),
    [
        (date(2024, 8, 16), date(2024, 8, 16)),  # Friday evening
        (date(2024, 8, 17), date(2024, 8, 16)),  # Saturday
        (date(2024, 8, 18), date(2024, 8, 16)),
        (date(2024, 8, 19), date(2024, 8, 16)),  # Monday
        (date(2024, 8, 20), date(2024, 8, 20)),  # Tuesday evening
        (date(2024, 8, 21), date(2024, 8, 20)),
        (date(2024, 8, 22), date(2024, 8, 20)),
    ],
)
def test_odds_are_taken_on_friday_for_the_weekend_and_on_tuesday_for_midweek(day: date, taken: date) -> None:
    assert taken_before(day, kickoff(day, time(20, 0))) == datetime(taken.year, taken.month, taken.day, 12, tzinfo=UTC)


def test_a_friday_match_without_a_time_takes_the_odds_of_tuesday() -> None:
    friday = date(2024, 8, 16)
    assert taken_before(friday, kickoff(friday, None)) == datetime(2024, 8, 13, 12, tzinfo=UTC)


def test_a_kickoff_at_the_very_moment_of_collection_takes_the_odds_before_it() -> None:
    friday = date(2024, 8, 16)
    assert taken_before(friday, kickoff(friday, time(13, 0))) == datetime(2024, 8, 13, 12, tzinfo=UTC)


@given(st.dates(date(1993, 1, 1), date(2050, 1, 1)), st.one_of(st.none(), st.times()))
def test_odds_are_always_taken_before_kickoff_and_less_than_a_week_before(day: date, clock: time | None) -> None:
    start = kickoff(day, clock)
    assert 0 < (start - taken_before(day, start)).total_seconds() < 7 * 86400
