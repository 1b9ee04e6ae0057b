"""One row of a match file to a match, or the reason why it is not a match; matches to a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import pyarrow as pa

from matchcast.domain.match_id import make_match_id
from matchcast.snapshots.dataset import MATCHES_SCHEMA, STATISTICS, plain
from matchcast_tools.importing import cells
from matchcast_tools.importing.divisions import Division, by_code, by_country
from matchcast_tools.importing.layout import Section
from matchcast_tools.importing.report import FileReport


@dataclass(slots=True)
class Match:
    """A row that is a match; `section` and `place` lead to its odds."""

    match_id: str
    division: Division
    day: date
    kickoff: datetime
    home: str
    away: str
    goals: tuple[int, int] | None
    status: str
    half_time: tuple[int | None, int | None]
    statistics: tuple[int | None, ...]
    season: str | None
    section: int
    place: int
    line: int


_RESULTS = frozenset("HDA")
_KEPT_AS = {
    "abandoned": "abandoned, without a score",
    "awarded": "awarded, not used for features",
    "fixture": "a fixture, whose date may change",
}


class NoMatchError(ValueError):
    """A row that cannot be a match; the text goes into the report."""


@dataclass(slots=True)
class DateOrder:
    """How many dates of a file can only have the day first; line and text of those that can only have the month."""

    day_first: int = 0
    month_first: list[tuple[int, str]] = field(default_factory=list)

    def see(self, text: str, line: int) -> None:
        """Count a date."""
        day_first = cells.is_day_first(text)
        if day_first:
            self.day_first += 1
        elif day_first is False:
            self.month_first.append((line, text.strip()))


@dataclass(slots=True)
class RowReader:
    """Read the rows of one file; what is repaired and skipped is noted in its report."""

    report: FileReport
    sections: list[Section]
    order: DateOrder = field(default_factory=DateOrder)
    _only_division: str | None = field(init=False)

    def __post_init__(self) -> None:
        codes = {
            parsed
            for section in self.sections
            if "division" in section.columns
            for place in range(len(section.rows))
            if (parsed := cells.parse_name(section.cells(place)[section.columns["division"]]))
        }
        self._only_division = codes.pop() if len(codes) == 1 else None

    def read(self, number: int, place: int) -> Match | None:
        """Return the match of a row, or None when it was noted as skipped."""
        section = self.sections[number]
        row, line = section.cells(place), section.lines[place]
        cell = {meaning: row[column] for meaning, column in section.columns.items()}
        named = section.marked.get(place)
        self.order.see(cell["date"], line)
        try:
            day = _day(cell["date"])
            home, away = _teams(cell["home"], cell["away"])
            division = self._division(cell, line)
            goals = _goals(cell.get("home_goals", ""), cell.get("away_goals", ""), named)
        except NoMatchError as reason:
            self.report.note("skipped", str(reason), line)
            return None
        half_time = cells.parse_goals(cell.get("half_time_home", "")), cells.parse_goals(cell.get("half_time_away", ""))
        self._check_result(cell.get("result", ""), goals, line)
        status = "played" if goals is not None else "fixture" if None in half_time else "abandoned"
        if named is not None and (goals is None or named != "fixture"):
            self.report.note("info", f"a cell says so: kept as {_KEPT_AS[named]}", line)
            status = named
        return Match(
            match_id=make_match_id(division.code, day, home, away),
            division=division,
            day=day,
            kickoff=cells.kickoff(day, self._clock(cell.get("time", ""), line)),
            home=home,
            away=away,
            goals=goals,
            status=status,
            half_time=half_time,
            statistics=tuple(cells.parse_goals(cell.get(name, "")) for name in STATISTICS),
            season=self._season(cell.get("season", ""), line),
            section=number,
            place=place,
            line=line,
        )

    def _division(self, cell: Mapping[str, str], line: int) -> Division:
        if "division" not in cell:
            country = cells.parse_name(cell["country"])
            if not country:
                raise NoMatchError("the country is missing")
            division = by_country(country, cells.parse_name(cell.get("league", "")))
        else:
            code = cells.parse_name(cell["division"])
            if not code and self._only_division is None:
                raise NoMatchError("the division is missing")
            if not code:
                self.report.note(
                    "repaired", f"the division is blank; the rest of the file is {self._only_division}", line
                )
            division = by_code(code or str(self._only_division))
        if not division.known:
            self.report.note("info", f"the division {division.code} is unknown; it becomes a region of its own")
        return division

    def _check_result(self, text: str, goals: tuple[int, int] | None, line: int) -> None:
        letter = text.strip().upper()
        if not letter or cells.parse_status(letter) is not None:
            return
        if letter not in _RESULTS:
            self.report.note("repaired", f"the result {letter[:20]!r} is not H, D or A; it is left out", line)
        elif goals is None:
            self.report.note("repaired", "a result without a score; it is left out", line)
        elif letter != result(goals):
            self.report.note("repaired", "the result differs from the score; the score counts", line)

    def _clock(self, text: str, line: int) -> time | None:
        clock = cells.parse_time(text)
        if clock is None and text.strip():
            self.report.note("repaired", "the time cannot be read; the match is kept without one", line)
        return clock

    def _season(self, text: str, line: int) -> str | None:
        season = cells.parse_season(text)
        if season is None and text.strip():
            self.report.note("repaired", "the season cannot be read; it is taken from the dates", line)
        return season


def result(goals: tuple[int, int]) -> str:
    """Return H, D or A."""
    return "H" if goals[0] > goals[1] else "A" if goals[0] < goals[1] else "D"


def matches_table(matches: Sequence[Match]) -> pa.Table:
    """Return matches as a table with the columns of `MATCHES_SCHEMA`."""
    columns: dict[str, list[Any]] = {
        "match_id": [match.match_id for match in matches],
        "division": [match.division.code for match in matches],
        "region": [match.division.region for match in matches],
        "league": [match.division.league for match in matches],
        "season": [match.season for match in matches],
        "date": [match.day for match in matches],
        "kickoff": [match.kickoff for match in matches],
        "home_team": [match.home for match in matches],
        "away_team": [match.away for match in matches],
        "home_goals": [match.goals and match.goals[0] for match in matches],
        "away_goals": [match.goals and match.goals[1] for match in matches],
        "result": [match.goals and result(match.goals) for match in matches],
        "status": [match.status for match in matches],
    }
    for index, name in enumerate(STATISTICS):
        columns[name] = [match.statistics[index] for match in matches]
    # Dictionary columns are built as text: they are encoded when all files are one table.
    return pa.table(
        {name: pa.array(values, plain(MATCHES_SCHEMA.field(name).type)) for name, values in columns.items()}
    )


def _day(text: str) -> date:
    day = cells.parse_date(text)
    if day is not None:
        return day
    if not text.strip():
        raise NoMatchError("the date is missing")
    raise NoMatchError(f"{text.strip()[:30]!r} is not a date with the day first")


def _teams(home_text: str, away_text: str) -> tuple[str, str]:
    home, away = cells.parse_name(home_text), cells.parse_name(away_text)
    if not home or not away:
        raise NoMatchError("a team is missing")
    if home == away:
        raise NoMatchError("both teams are the same")
    return home, away


def _goals(home_text: str, away_text: str, named: str | None) -> tuple[int, int] | None:
    home, away = cells.parse_goals(home_text), cells.parse_goals(away_text)
    if named == "abandoned" or cells.parse_status(home_text) or cells.parse_status(away_text):
        # What stood when a match was abandoned is not its result.
        return None
    if home is not None and away is not None:
        return home, away
    given = home_text.strip(), away_text.strip()
    if not any(given):
        return None
    if not all(given):
        raise NoMatchError("half of the score is missing")
    raise NoMatchError(f"{given[0][:20]!r} : {given[1][:20]!r} is not a score")
