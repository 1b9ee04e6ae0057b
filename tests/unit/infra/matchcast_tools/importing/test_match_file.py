"""A match file as a whole: matches and odds of both formats, its divisions, and files of another kind."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from matchcast_tools.errors import BadInput
from matchcast_tools.importing.match_file import parse_match_file
from tests.support.match_files import (
    EXTRA_HEADER,
    SEASON_HEADER,
    csv_bytes,
    extra_row,
    season_row,
)
from tests.support.parsed_files import notes, rows_of


def test_a_season_file_becomes_matches_and_odds() -> None:
    # WHEN
    parsed = parse_match_file("E0.csv", csv_bytes([season_row()]))

    # THEN
    (match,) = rows_of(parsed)
    assert match == {
        "match_id": "e0-2014-08-16-arsenal-crystal-palace",
        "division": "E0",
        "region": "England",
        "league": "Premier League",
        "season": "2014/15",
        "date": date(2014, 8, 16),
        "kickoff": datetime(2014, 8, 16, tzinfo=UTC),
        "home_team": "Arsenal",
        "away_team": "Crystal Palace",
        "home_goals": 2,
        "away_goals": 1,
        "result": "H",
        "status": "played",
        "home_shots": None,
        "away_shots": None,
    }
    assert parsed.odds.to_pylist() == [
        {
            "match_id": match["match_id"],
            "bookmaker": "bet365",
            "closing": False,
            "home": 2.1,
            "draw": 3.3,
            "away": 3.6,
        }
    ]


def test_an_extra_league_has_its_own_columns_and_closing_odds() -> None:
    # WHEN
    parsed = parse_match_file("BRA.csv", csv_bytes([extra_row()], EXTRA_HEADER, "utf-8-sig"))

    # THEN
    (match,) = rows_of(parsed)
    assert (match["division"], match["region"], match["league"], match["season"]) == (
        "BRA",
        "Brazil",
        "Serie A",
        "2012",
    )
    assert match["kickoff"] == datetime(2012, 5, 19, 21, 30, tzinfo=UTC)
    assert match["date"] == date(2012, 5, 19)
    assert parsed.odds["bookmaker"].to_pylist() == ["pinnacle"]
    assert parsed.odds["closing"].to_pylist() == [True]
    assert parsed.report.format == "extra league"


def test_an_unknown_division_is_a_region_of_its_own() -> None:
    parsed = parse_match_file("a.csv", csv_bytes([season_row(division="ZZ9")]))

    assert rows_of(parsed)[0]["region"] == "ZZ9"
    assert "the division ZZ9 is unknown; it becomes a region of its own" in notes(parsed, "info")


def test_a_file_named_for_one_division_that_holds_another_is_noted() -> None:
    parsed = parse_match_file("zip/E0_1415.csv", csv_bytes([season_row(division="D1")]))

    assert rows_of(parsed)[0]["division"] == "D1"
    assert "the name says E0, the rows say D1; the rows count" in notes(parsed, "info")


def test_two_sets_of_columns_for_one_bookmaker_give_one_price() -> None:
    header = (*SEASON_HEADER[:7], "BbAvH", "BbAvD", "BbAvA", "AvgH", "AvgD", "AvgA")
    rows = ["E0,16/08/2014,A,B,1,0,H,2.1,3.3,3.6,2.2,3.3,3.6", "E0,16/08/2014,C,D,1,0,H,2.1,3.3,3.6,,,"]
    parsed = parse_match_file("E0.csv", csv_bytes(rows, header))
    assert sorted(parsed.odds["home"].to_pylist()) == [2.1, 2.2]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"name,age\nAnn,3\n", "is not a match file: it begins with 'name,age'"),
        (csv_bytes([]), "has a header but no match below it"),
        (csv_bytes(["E0,99/99/2014,A,B,1,0,H"]), r"has a header but no match: '99/99/2014' is not a date .*line 2"),
        (b"<html></html>", "is a web page"),
        (b"", "is empty"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_what_is_wrong(body: bytes, reason: str) -> None:
    with pytest.raises(BadInput, match=f"E0.csv {reason}"):
        parse_match_file("E0.csv", body)
