from __future__ import annotations

import math
from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchcast_tools.importing.cells import (
    kickoff,
    parse_date,
    parse_goals,
    parse_name,
    parse_number,
    parse_season,
    parse_time,
)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("14/08/93", date(1993, 8, 14)),
        ("01/02/15", date(2015, 2, 1)),
        ("1/2/2015", date(2015, 2, 1)),
        (" 16-08-2014 ", date(2014, 8, 16)),
        ("16.08.2014", date(2014, 8, 16)),
        ("2014-08-16", date(2014, 8, 16)),
        ("31/12/69", date(2069, 12, 31)),
        ("01/01/70", date(1970, 1, 1)),
    ],
)
def test_a_date_is_read_with_the_day_first(text: str, day: date) -> None:
    assert parse_date(text) == day


@pytest.mark.parametrize("text", ["", "08/14/2014", "31/02/2015", "14/08", "14/08/193", "41867", "#REF!", "16/08/1066"])
def test_other_dates_are_refused_and_day_and_month_are_not_exchanged(text: str) -> None:
    assert parse_date(text) is None


@given(
    st.dates(date(1970, 1, 1), date(2069, 12, 31)), st.sampled_from(["%d/%m/%Y", "%d/%m/%y", "%d.%m.%Y", "%Y-%m-%d"])
)
def test_no_date_is_ever_shifted(day: date, pattern: str) -> None:
    assert parse_date(day.strftime(pattern)) == day


def test_kickoff_is_london_time_in_summer_and_winter() -> None:
    assert kickoff(date(2024, 8, 16), time(20, 0)) == datetime(2024, 8, 16, 19, 0, tzinfo=UTC)
    assert kickoff(date(2024, 12, 26), time(20, 0)) == datetime(2024, 12, 26, 20, 0, tzinfo=UTC)


def test_without_a_time_kickoff_is_midnight_utc_of_the_date_in_summer_too() -> None:
    assert kickoff(date(2024, 8, 16), None) == datetime(2024, 8, 16, tzinfo=UTC)


@pytest.mark.parametrize(("text", "clock"), [("20:00", time(20)), ("7:05", time(7, 5)), ("20.45", time(20, 45))])
def test_times_are_read(text: str, clock: time) -> None:
    assert parse_time(text) == clock


@pytest.mark.parametrize("text", ["", "25:00", "20:60", "8pm", "20"])
def test_other_times_are_refused(text: str) -> None:
    assert parse_time(text) is None


@pytest.mark.parametrize(("text", "goals"), [("0", 0), (" 3 ", 3), ("2.0", 2), ("99", 99)])
def test_goals_are_whole_numbers(text: str, goals: int) -> None:
    assert parse_goals(text) == goals


@pytest.mark.parametrize("text", ["", "x", "-1", "2.5", "100", "1e1", "٣", "#REF!"])
def test_other_counts_of_goals_are_refused(text: str) -> None:
    assert parse_goals(text) is None


def test_names_lose_no_break_spaces_and_spreadsheet_errors() -> None:
    assert parse_name("\xa0Nott'm\xa0 Forest ") == "Nott'm Forest"
    assert parse_name("#REF!") == ""


def test_numbers_may_have_a_decimal_comma_and_text_is_refused() -> None:
    assert parse_number("2,10") == 2.1
    assert math.isnan(parse_number("  ") or 0.0)
    assert parse_number("evens") is None
    assert parse_number("1_000") is None


@pytest.mark.parametrize(
    ("text", "season"),
    [("2012", "2012"), ("2012/2013", "2012/13"), ("2014-15", "2014/15"), ("1999/2000", "1999/00")],
)
def test_seasons_are_named_alike(text: str, season: str) -> None:
    assert parse_season(text) == season


@pytest.mark.parametrize("text", ["", "2012/2014", "12/13", "season"])
def test_other_seasons_are_refused(text: str) -> None:
    assert parse_season(text) is None
