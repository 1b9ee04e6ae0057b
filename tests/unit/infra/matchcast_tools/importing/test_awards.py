"""Results that were not played out on the pitch: awarded, abandoned, postponed, as files mark them or not."""

from __future__ import annotations

import pytest

from matchcast_tools.importing.match_file import parse_match_file
from tests.support.match_files import SEASON_HEADER, csv_bytes, fixture_row, season_row
from tests.support.parsed_files import notes, rows_of

HEADER = (*SEASON_HEADER, "HTHG", "HTAG", "HS", "AS")
SEEN = {"HTHG": "1", "HTAG": "0", "HS": "12", "AS": "9"}


def statuses(*rows: dict[str, str]) -> dict[str, str]:
    """Return the status of each home team's match in a file of sixty ordinary matches and these."""
    usual = [{**season_row(home=f"Team {number}"), **SEEN} for number in range(60)]
    parsed = parse_match_file("E0.csv", csv_bytes([*usual, *rows], HEADER))
    found = {match["home_team"]: match["status"] for match in rows_of(parsed)}
    assert all(found.pop(f"Team {number}") == "played" for number in range(60))
    return found


def test_a_score_with_odds_and_without_half_time_and_shots_was_awarded() -> None:
    # WHEN
    found = statuses(
        season_row(home="Bolton", score=(0, 1)),
        season_row(home="Reus", score=(1, 0), odds=("", "", "")),
        {**season_row(home="Sassuolo", score=(0, 3)), "HS": "13", "AS": "10"},
        {**season_row(home="Ordinary", score=(0, 3)), **SEEN},
        {**season_row(home="No shots", score=(1, 2)), "HTHG": "0", "HTAG": "1"},
        {**season_row(home="No half", score=(1, 2)), "HS": "13", "AS": "10"},
    )
    # THEN those that lack only one of them were played, except a 3-0 without a half-time score
    awarded = {name for name, status in found.items() if status == "awarded"}
    assert awarded == {"Bolton", "Reus", "Sassuolo"}
    assert {found[name] for name in ("Ordinary", "No shots", "No half")} == {"played"}


def test_a_file_that_mostly_lacks_half_time_scores_has_no_awarded_results() -> None:
    rows = [{**season_row(home=f"Team {number}", score=(3, 0)), **(SEEN if number % 2 else {})} for number in range(20)]
    assert parse_match_file("E0.csv", csv_bytes(rows, HEADER)).report.awarded == 0


@pytest.mark.parametrize("column", ["FTR", "FTHG", "HTHG", "Comment"])
@pytest.mark.parametrize(
    ("word", "status"),
    [("Abandoned", "abandoned"), (" ABD ", "abandoned"), ("Cancelled", "abandoned"), ("Postponed", "fixture")],
)
def test_a_word_in_any_cell_says_what_became_of_a_match(column: str, word: str, status: str) -> None:
    # GIVEN a match without a score, and a word in one of its cells
    row = {**fixture_row(home="Hull"), column: word}
    # WHEN
    parsed = parse_match_file("E0.csv", csv_bytes([season_row(), row], (*HEADER, "Comment")))

    # THEN the match is kept, and the word is in the report
    assert [(match["home_team"], match["status"]) for match in rows_of(parsed)][1] == ("Hull", status)
    assert any(reason.startswith("a cell says so") and lines == [3] for reason, lines in notes(parsed, "info").items())
    assert parsed.report.skipped == 0


def test_a_word_beyond_the_header_counts_and_a_club_of_that_name_does_not() -> None:
    text = csv_bytes([season_row(), season_row(home="Void"), ",".join([*fixture_row(home="Hull").values(), "Void"])])
    parsed = parse_match_file("E0.csv", text)
    assert [match["status"] for match in rows_of(parsed)] == ["played", "played", "abandoned"]


def test_what_stood_when_a_match_was_abandoned_is_not_its_result() -> None:
    parsed = parse_match_file("E0.csv", csv_bytes([season_row(), {**season_row(home="Hull"), "FTR": "Abandoned"}]))

    match = rows_of(parsed)[1]
    assert (match["status"], match["home_goals"], match["result"]) == ("abandoned", None, None)


def test_a_score_that_is_marked_as_awarded_is_kept_as_awarded() -> None:
    parsed = parse_match_file("E0.csv", csv_bytes([season_row(), {**season_row(home="Hull"), "FTR": "Awarded"}]))

    match = rows_of(parsed)[1]
    assert (match["status"], match["home_goals"]) == ("awarded", 2)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({**season_row(), "FTR": "win"}, "the result 'WIN' is not H, D or A; it is left out"),
        ({**fixture_row(), "FTR": "H"}, "a result without a score; it is left out"),
    ],
)
def test_a_result_that_cannot_be_used_is_noted(row: dict[str, str], reason: str) -> None:
    assert notes(parse_match_file("E0.csv", csv_bytes([row])), "repaired") == {reason: [2]}
