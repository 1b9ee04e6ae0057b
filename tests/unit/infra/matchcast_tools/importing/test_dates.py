"""Dates that cannot be right: with the month first, in the future, and years away from their neighbours."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from matchcast_tools.errors import BadInput
from matchcast_tools.importing.match_file import parse_match_file
from tests.support.match_files import csv_bytes, fixture_row, season_row
from tests.support.parsed_files import accounted, notes, rows_of

TODAY = date(2014, 11, 20)


def season(days: int = 20, start: date = date(2014, 8, 16), pattern: str = "%d/%m/%Y") -> list[dict[str, str]]:
    """Return one match every three days."""
    return [
        season_row((start + timedelta(days=3 * number)).strftime(pattern), home=f"Team {number}")
        for number in range(days)
    ]


@pytest.mark.parametrize("pattern", ["%m/%d/%Y", "%m/%d/%y", "%m-%d-%Y"])
def test_a_file_with_the_month_first_is_refused_as_a_whole(pattern: str) -> None:
    with pytest.raises(BadInput, match=r"E0\.csv has its dates with the month first: '08.16.(20)?14' \(line 2\)"):
        parse_match_file("E0.csv", csv_bytes(season(pattern=pattern)))


def test_files_joined_of_both_kinds_are_refused() -> None:
    rows = [*season(10), *season(10, date(2014, 9, 17), "%m/%d/%Y")]
    with pytest.raises(BadInput, match="the others cannot be trusted"):
        parse_match_file("E0.csv", csv_bytes(rows))


def test_one_date_with_the_month_first_is_an_error_of_its_row() -> None:
    parsed = parse_match_file("E0.csv", csv_bytes([*season(20), season_row("10/30/2014", "Hull")]))
    assert notes(parsed, "skipped") == {"'10/30/2014' is not a date with the day first": [22]}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (season_row("16/08/2099", "Hull"), "the date 2099-08-16 is more than a season ahead"),
        (fixture_row("16/08/2016", "Hull"), "the date 2016-08-16 is more than a season ahead"),
        (season_row("22/11/2014", "Hull"), "a score on 2014-11-22, which is in the future"),
        (season_row("20/08/2013", "Hull"), "the date 2013-08-20 is years away from those of the rows around it"),
        (fixture_row("12/09/1941", "Hull"), "the date 1941-09-12 is years away from those of the rows around it"),
    ],
)
@pytest.mark.parametrize("place", [0, 10, 20])
def test_a_year_that_cannot_be_right_is_an_error_of_its_row(row: dict[str, str], reason: str, place: int) -> None:
    rows = season()
    parsed = parse_match_file("E0.csv", csv_bytes([*rows[:place], row, *rows[place:]]), today=TODAY)

    assert notes(parsed, "skipped") == {reason: [place + 2]}
    assert accounted(parsed)
    assert len(rows_of(parsed)) == 20


def test_fixtures_of_today_and_of_the_rest_of_the_season_stay() -> None:
    rows = [*season(), fixture_row("21/11/2014"), season_row("20/11/2014", "Hull"), fixture_row("24/05/2015", "Stoke")]
    assert parse_match_file("E0.csv", csv_bytes(rows), today=TODAY).report.skipped == 0


def test_a_pause_of_many_months_and_files_in_another_order_are_left_alone() -> None:
    # GIVEN a season, a pause of ten months, and the first match after it
    resumed = [*season(20, date(2013, 2, 1)), season_row("10/02/2014", "Hull")]
    # GIVEN the matches of eight seasons sorted by club
    by_club = [
        season_row(f"{10 + club}/09/{year}", f"Team {club}")
        for club in range(10)
        for year in (2009, 2004, 2012, 2006, 2002, 2010, 2003, 2013)
    ]

    # WHEN they are read
    # THEN nothing is left out
    for rows in (resumed, by_club):
        assert parse_match_file("E0.csv", csv_bytes(rows), today=TODAY).report.skipped == 0
