"""What a header seems to lack by mistake is in the report."""

from __future__ import annotations

import pytest

from matchcast_tools.errors import BadInput
from matchcast_tools.importing.match_file import parse_match_file
from tests.support.match_files import SEASON_HEADER, csv_bytes, fixture_row, season_row
from tests.support.parsed_files import notes, rows_of

CLOSING = ("B365CH", "B365CD", "B36CA")


def test_a_misspelt_column_of_odds_is_noted() -> None:
    row = {**season_row(), **dict.fromkeys(CLOSING, "3")}
    parsed = parse_match_file("E0.csv", csv_bytes([row], (*SEASON_HEADER, *CLOSING)))
    assert (
        "the header has B365CH and B365CD without B365CA; the column B36CA looks like it: these odds are not read"
        in notes(parsed, "info")
    )


@pytest.mark.parametrize(
    ("right", "written"), [("FTHG", "FTGH"), ("FTHG", "FTHGG"), ("FTAG", "FTA"), ("FTHG", "fthg"), ("FTAG", "Goals")]
)
def test_a_header_without_a_score_says_so(right: str, written: str) -> None:
    header = [written if name == right else name for name in SEASON_HEADER]
    found = notes(parse_match_file("E0.csv", csv_bytes([fixture_row()], header)), "info")
    assert any(
        f"the header has no column {right} or" in reason and "no match has a score" in reason for reason in found
    )


def test_a_file_that_is_refused_for_half_a_score_names_the_column_that_is_missing() -> None:
    header = ["FTHGG" if name == "FTHG" else name for name in SEASON_HEADER]
    with pytest.raises(BadInput, match=r"half of the score is missing.*the column FTHGG looks like it"):
        parse_match_file("E0.csv", csv_bytes([season_row()], header))


def test_a_misspelt_column_that_is_not_needed_is_named_and_a_missing_one_is_not() -> None:
    found = notes(
        parse_match_file("E0.csv", csv_bytes([season_row()], (*SEASON_HEADER, "HTGH", "Tme", "HTHGG"))), "info"
    )
    assert [reason for reason in found if "looks like" in reason] == [
        "the header has no column Time; the column Tme looks like it",
        "the header has no column HTHG; the column HTHGG looks like it",
    ]


def test_columns_of_handicaps_and_of_statistics_are_no_mistakes() -> None:
    header = (*SEASON_HEADER, "Time", "HTHG", "HTAG", "HTR", "HST", "AST", "HF", "AvgAHH", "AvgAHA", "B365>2.5", "AHh")
    found = notes(parse_match_file("E0.csv", csv_bytes([season_row()], header)), "info")
    assert found == {}


def test_goals_of_both_spellings_are_read() -> None:
    header = [{"FTHG": "HomeGoals", "FTAG": "AwayGoals"}.get(name, name) for name in SEASON_HEADER]
    row = {**season_row(), "HomeGoals": "2", "AwayGoals": "1"}
    parsed = parse_match_file("E0.csv", csv_bytes([row], header))
    assert (rows_of(parsed)[0]["home_goals"], rows_of(parsed)[0]["away_goals"]) == (2, 1)
