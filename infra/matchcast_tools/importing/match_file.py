"""One match file to matches and odds, with a report that accounts for every row."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np

from matchcast_tools.errors import BadInput
from matchcast_tools.importing.awards import mark_awarded
from matchcast_tools.importing.books import Price, find_triples
from matchcast_tools.importing.columns import MISSING
from matchcast_tools.importing.dates import refuse_month_first, wrong_dates
from matchcast_tools.importing.decoding import decode_file
from matchcast_tools.importing.divisions import DIVISIONS, label_seasons
from matchcast_tools.importing.layout import Section, read_sections
from matchcast_tools.importing.quotes import OVERROUND, Quotes, quotes_table, read_quotes
from matchcast_tools.importing.report import FileReport
from matchcast_tools.importing.rows import Match, RowReader, matches_table

if TYPE_CHECKING:
    import pyarrow as pa

_AT_ONCE = 1_000
"""Rows whose cells are in memory at once."""
_UNSCORED = {
    "fixture": "no score: kept as a fixture",
    "abandoned": "a half-time score and no final score: kept as abandoned",
    "awarded": "a score without what a match leaves behind: kept as awarded, not used for features",
}


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """The matches (`MATCHES_SCHEMA`, with text for dictionaries) and odds (`QUOTES`) of a file, and its report."""

    report: FileReport
    matches: pa.Table
    odds: pa.Table


def parse_match_file(
    name: str, body: bytes, overround: tuple[float, float] = OVERROUND, today: date | None = None
) -> ParsedFile:
    """Read one match file; nothing that is after `today` (default: the present day) has been played.

    Raises
    ------
    BadInput
        If it is empty, not text, a web page, another kind of table, has its dates with the month first, or no match.
    """
    report = FileReport(name=name)
    decoded = decode_file(body, name)
    # A file may be large: what has been read is not kept beside what was made of it.
    del body
    report.encoding = decoded.encoding
    if decoded.mended:
        report.note("info", "text that was encoded twice is corrected")
    sections = read_sections(decoded.text, report)
    del decoded
    report.format = sections[0].format
    report.rows = sum(len(section.rows) for section in sections)
    matches = _read_matches(sections, report, today or datetime.now(UTC).date())
    if not matches:
        raise BadInput(f"{name} has a header but no match{_first_reason(report)}.")
    quotes = _read_odds(sections, matches, report, overround)
    priced = np.zeros(len(matches), dtype=bool)
    for quoted in quotes:
        priced[quoted.places] = True
    mark_awarded(matches, priced)
    _add_seasons(matches, sections)
    _count(matches, report)
    odds = quotes_table([match.match_id for match in matches], quotes)
    report.odds = len(odds)
    return ParsedFile(report, matches_table(matches), odds)


def _read_matches(sections: list[Section], report: FileReport, today: date) -> list[Match]:
    """Return the matches in the order of the file; of a repeated one the first with a score."""
    reader = RowReader(report, sections)
    found: dict[str, Match] = {}
    for number, section in enumerate(sections):
        for place in range(len(section.rows)):
            match = reader.read(number, place)
            if match is None:
                continue
            kept = found.setdefault(match.match_id, match)
            if kept is match:
                continue
            if kept.goals is None and match.goals is not None:
                found[match.match_id], match = match, kept
            same = (match.goals, match.kickoff) == (found[match.match_id].goals, found[match.match_id].kickoff)
            reason = "the same match again" if same else "the same match again, with another score or time"
            report.note("skipped", f"{reason} (division, date, home and away are equal)", match.line)
    refuse_month_first(report.name, reader.order)
    matches = list(found.values())
    wrong = wrong_dates(matches, today)
    for place, reason in wrong.items():
        report.note("skipped", reason, matches[place].line)
    return [match for place, match in enumerate(matches) if place not in wrong]


def _read_odds(
    sections: list[Section], matches: list[Match], report: FileReport, overround: tuple[float, float]
) -> list[Quotes]:
    """Return the odds of each price in each section; of two sets of columns for one price the first counts."""
    collected = []
    for number, section in enumerate(sections):
        own = np.array([place for place, match in enumerate(matches) if match.section == number], dtype=np.int64)
        triples = find_triples(section.header)
        for start in range(0, len(own), _AT_ONCE):
            places = own[start : start + _AT_ONCE]
            rows = [section.cells(matches[place].place) for place in places]
            taken: dict[Price, set[int]] = defaultdict(set)
            for triple in triples:
                quotes, refused = read_quotes(rows, triple, overround)
                for reason, refused_places in refused.items():
                    for row in refused_places:
                        report.note("rejected", f"{triple.prefix}: {reason}", matches[places[row]].line)
                fresh = np.array([row not in taken[triple.price] for row in quotes.places.tolist()], dtype=bool)
                taken[triple.price].update(quotes.places.tolist())
                collected.append(Quotes(triple.price, places[quotes.places[fresh]], quotes.odds[fresh]))
    return collected


def _add_seasons(matches: list[Match], sections: list[Section]) -> None:
    """Give each match of a season file the season that follows from the dates of its division.

    Extra leagues name it. Where one does not, it follows from what else is known of the league, once that is at hand.
    """
    days = defaultdict(list)
    unnamed = [match for match in matches if match.season is None and "division" in sections[match.section].columns]
    for match in unnamed:
        days[match.division.code].append(match.day)
    labels = {code: label_seasons(dates) for code, dates in days.items()}
    for match in unnamed:
        match.season = labels[match.division.code][match.day]


def _count(matches: list[Match], report: FileReport) -> None:
    report.divisions = sorted({match.division.code for match in matches})
    report.seasons = sorted({match.season for match in matches if match.season is not None})
    statuses = Counter(match.status for match in matches)
    report.matches, report.played, report.fixtures = len(matches), statuses["played"], statuses["fixture"]
    report.awarded, report.abandoned = statuses["awarded"], statuses["abandoned"]
    for match in matches:
        if match.status in _UNSCORED:
            report.note("info", _UNSCORED[match.status], match.line)
    report.skipped, report.odds_rejected = len(report.lines("skipped")), len(report.lines("rejected"))
    report.repaired = len(set(report.lines("repaired")))
    named = {part for part in re.split(r"[^A-Za-z0-9]+", report.name.rsplit("/", 1)[-1]) if part in DIVISIONS}
    if len(named) == 1 and not named & set(report.divisions):
        report.note("info", f"the name says {named.pop()}, the rows say {', '.join(report.divisions)}; the rows count")


def _first_reason(report: FileReport) -> str:
    skipped = next((note for note in report.notes.values() if note.kind == "skipped"), None)
    if skipped is None:
        return " below it"
    header = "".join(f"; {note.reason}" for note in report.notes.values() if note.reason.startswith(MISSING))
    return f": {skipped.reason} (line {skipped.lines[0]}){header}"
