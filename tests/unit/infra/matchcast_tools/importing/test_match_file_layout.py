"""Headers, lines, separators and quotes of match files, as spreadsheets left them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from matchcast_tools.importing.match_file import parse_match_file
from tests.support.match_files import (
    SEASON_HEADER,
    csv_bytes,
    csv_text,
    season_row,
)
from tests.support.parsed_files import notes, rows_of


def test_old_greek_files_call_the_teams_ht_and_at() -> None:
    text = csv_text([season_row(division="G1")]).replace("HomeTeam", "HT").replace("AwayTeam", "AT")
    parsed = parse_match_file("G1.csv", text.encode())
    assert rows_of(parsed)[0]["home_team"] == "Arsenal"


def test_blank_rows_are_counted_and_are_no_rows() -> None:
    parsed = parse_match_file("E0.csv", csv_bytes([season_row(), ",,,,,,,,,", "", " , ,"]))

    assert (parsed.report.rows, parsed.report.blank_rows, parsed.report.played) == (1, 3, 1)


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\r\r\n"])
def test_every_kind_of_line_end_is_one_line(end: str) -> None:
    parsed = parse_match_file("E0.csv", csv_bytes([season_row(), "garbage"], end=end))

    assert (parsed.report.played, parsed.report.blank_rows) == (1, 0)
    assert notes(parsed, "skipped") == {"the date is missing": [3]}


def test_rows_longer_than_the_header_are_kept_and_noted() -> None:
    text = csv_text([season_row()]).rstrip("\r\n")
    parsed = parse_match_file("E0.csv", (text + ",,,\r\n" + text.splitlines()[1] + ",7\r\n").encode())

    assert parsed.report.rows == 2
    assert notes(parsed, "repaired") == {
        "the row is longer than the header: blank cells after its end are left out": [2],
        "the row is longer than the header: cells after its end are left out": [3],
    }


def test_rows_that_end_early_keep_what_they_have() -> None:
    parsed = parse_match_file("E0.csv", csv_bytes(["E0,16/08/2014,Arsenal,Everton,2,1", "E0,16/08/2014,Hull,Stoke"]))

    assert [match["status"] for match in rows_of(parsed)] == ["played", "fixture"]
    assert notes(parsed, "repaired") == {"the row ends early; missing cells count as blank": [2, 3]}


def test_unnamed_and_repeated_headers_are_noted() -> None:
    # GIVEN
    header = (*SEASON_HEADER[:7], "LB", "LB", "LB", "", "HS", "HS")
    row = "D2,07/08/04,Dresden,Duisburg,3,1,H,2.25,3.2,2.75,,11,12"
    # WHEN
    parsed = parse_match_file("D2.csv", csv_bytes([row], header))

    # THEN
    assert parsed.odds["bookmaker"].to_pylist() == ["ladbrokes"]
    assert rows_of(parsed)[0]["home_shots"] == 11
    assert set(notes(parsed, "info")) == {
        "the columns LB, LB, LB are read as LBH, LBD, LBA",
        "columns that the header names more than once count the first time: HS",
        "columns without a name are left out",
    }


def test_joined_files_are_read_each_by_its_own_header() -> None:
    second = ("Div", "Date", "Time", "HomeTeam", "AwayTeam", "FTHG", "FTAG")
    row = "E0,09/08/2019,20:00,Liverpool,Norwich,4,1"
    parsed = parse_match_file("E0.csv", csv_bytes([season_row()]) + csv_bytes([row], second, "utf-8-sig"))

    assert [match["home_team"] for match in rows_of(parsed)] == ["Arsenal", "Liverpool"]
    assert rows_of(parsed)[1]["kickoff"] == datetime(2019, 8, 9, 19, 0, tzinfo=UTC)
    assert notes(parsed, "info")["the header comes again; the rows after it follow this one"] == [3]


def test_text_above_the_header_is_noted() -> None:
    parsed = parse_match_file("E0.csv", b"Premier League\r\n\r\n" + csv_bytes([season_row()]))

    assert parsed.report.played == 1
    assert notes(parsed, "info")["text above the header"] == [1]


def test_semicolons_and_decimal_commas_of_a_european_spreadsheet_are_read() -> None:
    text = csv_text([season_row(odds=("2#10", "3#30", "3#60"))]).replace(",", ";").replace("#", ",")
    parsed = parse_match_file("E0.csv", text.encode())
    assert parsed.odds.to_pylist()[0]["home"] == 2.1


def test_a_quote_without_its_pair_does_not_swallow_the_lines_after_it() -> None:
    rows: list[dict[str, str] | str] = [
        'E0,16/08/2014,"Arsenal,Hull,1,0,H',
        season_row(home="Stoke"),
        'E0,16/08/2014,"Leeds, Utd",Derby,1,1,D',
    ]
    parsed = parse_match_file("E0.csv", csv_bytes(rows))

    assert [match["home_team"] for match in rows_of(parsed)] == ["Arsenal", "Stoke", "Leeds, Utd"]
    assert notes(parsed, "repaired")["a quote without its pair is left out"] == [2]
