"""Files with every quirk in combination: never a crash, a silent loss, or a shifted date."""

from __future__ import annotations

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from matchcast_tools.errors import BadInput
from matchcast_tools.importing.cells import parse_name
from matchcast_tools.importing.match_file import ParsedFile, parse_match_file
from tests.support.examples import examples
from tests.support.match_files import Quirky, quirky_files


def parse(body: bytes) -> ParsedFile | None:
    try:
        return parse_match_file("E0_quirky.csv", body)
    except BadInput:
        return None


def noted(parsed: ParsedFile, kind: str) -> list[int]:
    return [line for note in parsed.report.notes.values() if note.kind == kind for line in note.lines]


@given(quirky_files())
@settings(max_examples=examples(75), deadline=None)
def test_every_row_is_a_match_or_has_a_line_in_the_report(file: Quirky) -> None:
    # WHEN
    parsed = parse(file.body)
    if parsed is None:
        return
    # THEN every row and every odds is counted once
    report = parsed.report
    assert report.rows == report.matches + report.skipped
    assert report.matches == len(parsed.matches)
    assert len(noted(parsed, "skipped")) == len(set(noted(parsed, "skipped"))) == report.skipped
    headers = 1 + sum(note.count for note in report.notes.values() if note.reason.startswith("the header comes again"))
    assert report.rows + report.blank_rows + headers >= file.lines - 1
    assert all(1 <= line <= file.lines for line in noted(parsed, "skipped"))
    assert report.odds == len(parsed.odds)
    assert report.odds_rejected == len(noted(parsed, "rejected"))


@given(quirky_files())
@settings(max_examples=examples(75), deadline=None)
def test_no_date_is_shifted_and_no_match_is_invented(file: Quirky) -> None:
    # WHEN
    parsed = parse(file.body)
    if parsed is None:
        return
    # THEN each match has a date that one of its rows was written with
    written: dict[str, set[date]] = {}
    for (_, away), day in file.days.items():
        # The number in the name identifies the row; accents may be lost by the encoding.
        written.setdefault(parse_name(away).split()[-1], set()).add(day)
    for match in parsed.matches.select(["date", "away_team"]).to_pylist():
        assert match["date"] in written[match["away_team"].split()[-1]]


@given(st.binary(max_size=400))
@settings(max_examples=examples(50), deadline=None)
def test_bytes_that_are_no_match_file_are_refused_and_nothing_else(body: bytes) -> None:
    parse(body)


@given(st.text(max_size=300))
@settings(max_examples=examples(50), deadline=None)
def test_everything_below_a_header_is_accounted_for(text: str) -> None:
    parsed = parse(b"Div,Date,HomeTeam,AwayTeam,FTHG,FTAG\nE0,16/08/2014,Arsenal,Hull,1,0\n" + text.encode())
    assert parsed is None or parsed.report.rows == parsed.report.matches + parsed.report.skipped
