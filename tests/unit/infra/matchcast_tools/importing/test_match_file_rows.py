"""What becomes of each row of a match file: a match with its status, a repair, or a skip with its reason."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from matchcast_tools.importing.match_file import parse_match_file
from tests.support.match_files import (
    SEASON_HEADER,
    csv_bytes,
    fixture_row,
    season_row,
)
from tests.support.parsed_files import accounted, notes, rows_of


def test_a_spreadsheet_error_in_a_name_skips_the_row_and_in_odds_refuses_the_odds() -> None:
    broken = season_row(home="#REF!")
    odd = season_row(home="Hull", away="Stoke", odds=("#REF!", "3.3", "3.6"))
    parsed = parse_match_file("E0.csv", csv_bytes([broken, odd]))

    assert notes(parsed, "skipped") == {"a team is missing": [2]}
    assert notes(parsed, "rejected") == {"B365: text where odds belong": [3]}
    assert (parsed.report.played, parsed.report.skipped, parsed.report.odds_rejected) == (1, 1, 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Date": ""}, "the date is missing"),
        ({"Date": "08/16/2014"}, "'08/16/2014' is not a date with the day first"),
        ({"HomeTeam": " "}, "a team is missing"),
        ({"AwayTeam": "Hull"}, "both teams are the same"),
        ({"FTHG": "two"}, "'two' : '1' is not a score"),
        ({"FTHG": ""}, "half of the score is missing"),
        ({"FTHG": "-1"}, "'-1' : '1' is not a score"),
    ],
)
def test_a_row_that_is_no_match_is_skipped_with_its_line_and_reason(change: dict[str, str], reason: str) -> None:
    parsed = parse_match_file("E0.csv", csv_bytes([season_row(), {**season_row(home="Hull"), **change}]))

    assert notes(parsed, "skipped") == {reason: [3]}
    assert accounted(parsed)


def test_a_blank_division_is_filled_in_where_the_file_has_only_one() -> None:
    parsed = parse_match_file("E0.csv", csv_bytes([season_row(), season_row(home="Hull", division="")]))

    assert [match["division"] for match in rows_of(parsed)] == ["E0", "E0"]
    assert parsed.report.repaired == 1


def test_a_blank_division_is_not_guessed_among_several() -> None:
    rows = [season_row(), season_row(division="E1"), season_row(home="Hull", division="")]
    assert notes(parse_match_file("a.csv", csv_bytes(rows)), "skipped") == {"the division is missing": [4]}


def test_the_score_counts_where_the_result_differs() -> None:
    parsed = parse_match_file("E0.csv", csv_bytes([{**season_row(score=(2, 1)), "FTR": "A"}]))

    assert rows_of(parsed)[0]["result"] == "H"
    assert notes(parsed, "repaired") == {"the result differs from the score; the score counts": [2]}


def test_a_time_that_cannot_be_read_leaves_the_match_without_one() -> None:
    header = (*SEASON_HEADER, "Time")
    parsed = parse_match_file("E0.csv", csv_bytes([{**season_row(), "Time": "late"}], header))

    assert rows_of(parsed)[0]["kickoff"] == datetime(2014, 8, 16, tzinfo=UTC)
    assert parsed.report.repaired == 1


def test_matches_without_a_score_are_fixtures_or_abandoned() -> None:
    header = (*SEASON_HEADER, "HTHG", "HTAG")
    rows = [season_row(), fixture_row(home="Hull"), {**fixture_row(home="Stoke"), "HTHG": "0", "HTAG": "1"}]
    parsed = parse_match_file("E0.csv", csv_bytes(rows, header))

    assert [match["status"] for match in rows_of(parsed)] == ["played", "fixture", "abandoned"]
    assert [match["result"] for match in rows_of(parsed)] == ["H", None, None]
    assert notes(parsed, "info")["no score: kept as a fixture"] == [3]


def test_a_three_nil_without_odds_was_awarded() -> None:
    # GIVEN a division with odds, and three matches without them or with a high score
    teams = ["Hull", "Stoke", "Everton"]
    rows = [season_row(home=name) for name in teams]
    awarded = season_row(home="Niki", score=(0, 3), odds=("", "", ""))
    won = season_row(home="Leeds", score=(3, 0))
    unpriced = season_row(home="Derby", score=(2, 0), odds=("", "", ""))

    # WHEN the file is read
    parsed = parse_match_file("E0.csv", csv_bytes([*rows, awarded, won, unpriced]))

    # THEN only the 3-0 without odds was awarded
    status = {match["home_team"]: match["status"] for match in rows_of(parsed)}
    assert [name for name, value in status.items() if value == "awarded"] == ["Niki"]
    assert (parsed.report.played, parsed.report.awarded) == (5, 1)


def test_a_three_nil_is_an_ordinary_result_in_divisions_without_odds_or_with_shots() -> None:
    without = [season_row(home=name, score=(3, 0), odds=("", "", "")) for name in ("Hull", "Stoke")]
    assert parse_match_file("a.csv", csv_bytes(without)).report.awarded == 0

    header = (*SEASON_HEADER, "HS", "AS")
    shots = {**season_row(score=(3, 0), odds=("", "", "")), "HS": "14", "AS": "3"}
    priced = [season_row(home=name) for name in ("Hull", "Stoke")]
    assert parse_match_file("a.csv", csv_bytes([*priced, shots], header)).report.awarded == 0


def test_the_same_match_twice_counts_once_and_the_score_wins() -> None:
    # GIVEN a fixture that is played, then has another score; and a match that comes twice
    rows = [fixture_row(), season_row(), season_row(score=(5, 0)), season_row(home="Hull"), season_row(home="Hull")]
    # WHEN
    parsed = parse_match_file("E0.csv", csv_bytes(rows))

    # THEN
    assert [(match["home_team"], match["home_goals"]) for match in rows_of(parsed)] == [("Arsenal", 2), ("Hull", 2)]
    assert notes(parsed, "skipped") == {
        "the same match again, with another score or time (division, date, home and away are equal)": [2, 4],
        "the same match again (division, date, home and away are equal)": [6],
    }
    assert accounted(parsed)
