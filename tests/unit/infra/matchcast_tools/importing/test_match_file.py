from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from matchcast_tools.errors import BadInput
from matchcast_tools.importing.match_file import ParsedFile, parse_match_file
from tests.support.match_files import (
    EXTRA_HEADER,
    SEASON_HEADER,
    csv_bytes,
    csv_text,
    extra_row,
    fixture_row,
    season_row,
)


def rows_of(parsed: ParsedFile) -> list[dict[str, Any]]:
    return list(parsed.matches.to_pylist())


def notes(parsed: ParsedFile, kind: str) -> dict[str, list[int]]:
    return {note.reason: note.lines for note in parsed.report.notes.values() if note.kind == kind}


def accounted(parsed: ParsedFile) -> bool:
    return (
        parsed.report.rows
        == parsed.report.matches + parsed.report.skipped
        == len(parsed.matches) + len([line for lines in notes(parsed, "skipped").values() for line in lines])
    )


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


def test_four_meetings_of_a_pair_are_four_matches() -> None:
    days = ("07/08/2021", "23/10/2021", "26/01/2022", "16/04/2022")
    parsed = parse_match_file("SC0.csv", csv_bytes([season_row(day, division="SC0") for day in days]))

    assert len({match["match_id"] for match in rows_of(parsed)}) == 4
    assert {match["season"] for match in rows_of(parsed)} == {"2021/22"}


def test_a_season_that_a_pandemic_extended_into_august_stays_one() -> None:
    days = ("24/08/2019", "08/03/2020", "20/06/2020", "02/08/2020")
    parsed = parse_match_file("I1.csv", csv_bytes([season_row(day, division="I1") for day in days]))
    assert {match["season"] for match in rows_of(parsed)} == {"2019/20"}


def test_the_first_matches_of_a_new_season_belong_to_the_new_season() -> None:
    days = ("16/08/2014", "24/05/2015", "08/08/2015")
    parsed = parse_match_file("E0.csv", csv_bytes([season_row(day) for day in days]))
    assert [match["season"] for match in rows_of(parsed)] == ["2014/15", "2014/15", "2015/16"]


def test_a_file_of_many_seasons_is_split_at_the_summer_breaks() -> None:
    days = ("16/08/2014", "24/05/2015", "08/08/2015", "17/05/2016", "13/08/2016")
    parsed = parse_match_file("E0.csv", csv_bytes([season_row(day) for day in days]))
    assert [match["season"] for match in rows_of(parsed)] == ["2014/15", "2014/15", "2015/16", "2015/16", "2016/17"]


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
