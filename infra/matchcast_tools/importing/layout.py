"""Lines of a match file to rows under a header: separators, quotes, ragged rows and repeated headers."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from matchcast_tools.errors import BadInput
from matchcast_tools.importing.books import find_triples
from matchcast_tools.importing.cells import may_have_status, parse_status
from matchcast_tools.importing.columns import unread_columns
from matchcast_tools.importing.report import FileReport

_LINE_END = re.compile(r"\r*\n|\r")
_SEPARATORS = (",", ";", "\t")
_CELL_END = "\x00"
"""No text that was decoded has it."""
_HEADER_WITHIN = 15
"""How many lines a title or blank lines may take before the header."""
_DATE_WITHIN = 8
"""The column `Date` is among the first ones, at most this many."""
_ALIASES: dict[str, tuple[str, ...]] = {
    "division": ("Div",),
    "country": ("Country",),
    "league": ("League",),
    "season": ("Season",),
    "date": ("Date",),
    "time": ("Time",),
    "home": ("HomeTeam", "Home", "HT"),
    "away": ("AwayTeam", "Away", "AT"),
    "home_goals": ("FTHG", "HG", "HomeGoals"),
    "away_goals": ("FTAG", "AG", "AwayGoals"),
    "result": ("FTR", "Res"),
    "half_time_home": ("HTHG",),
    "half_time_away": ("HTAG",),
    "home_shots": ("HS",),
    "away_shots": ("AS",),
}

_NAMES = ("division", "country", "league", "home", "away")


@dataclass(slots=True)
class Section:
    """The rows under one header, each as long as the header; `lines` are their places in the file.

    `marked` are the places of rows with a cell that names a status, such as `Abandoned`.
    """

    header: list[str]
    columns: dict[str, int]
    rows: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    marked: dict[int, str] = field(default_factory=dict)

    def add(self, cells: Sequence[str], line: int) -> None:
        """Add a row; it is kept as one text, since a cell of its own takes ten times the memory of what is in it."""
        self.rows.append(_CELL_END.join(cells))
        self.lines.append(line)

    def cells(self, place: int) -> list[str]:
        """Return the cells of a row."""
        return self.rows[place].split(_CELL_END)

    @property
    def format(self) -> str:
        """Return `season file` or `extra league`."""
        return "season file" if "division" in self.columns else "extra league"


def read_sections(text: str, report: FileReport) -> list[Section]:
    """Return the rows of a match file; a repeated header, as in joined files, starts a new section.

    Raises
    ------
    BadInput
        If no line among the first ones is the header of a match file.
    """
    separator = _separator(text, report.name)
    words = may_have_status(text)
    sections: list[Section] = []
    for number, cells in _cells(text, separator, report):
        header = _header(cells, number, report)
        if header is not None:
            if sections:
                report.note("info", "the header comes again; the rows after it follow this one", number)
            sections.append(header)
        elif not sections:
            if any(cell.strip() for cell in cells):
                report.note("info", "text above the header", number)
        elif not any(cell.strip() for cell in cells):
            report.blank_rows += 1
        else:
            if words:
                _mark(sections[-1], cells)
            _append(sections[-1], cells, number, report)
    return sections


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text without their ends, one after the other: a list of them would be the text again."""
    start = 0
    for end in _LINE_END.finditer(text):
        yield text[start : end.start()]
        start = end.end()
    if start < len(text):
        yield text[start:]


def _separator(text: str, name: str) -> str:
    """Return the separator of the first line that is a header."""
    for line in islice(_lines(text), _HEADER_WITHIN):
        for separator in _SEPARATORS:
            if _is_header([cell.strip().strip('"') for cell in line.split(separator)]):
                return separator
    start = next((line.strip() for line in _lines(text) if line.strip()), "")[:60]
    raise BadInput(
        f"{name} is not a match file: it begins with {start!r}. The header needs Date, HomeTeam, AwayTeam and Div "
        "(season files), or Date, Home, Away and Country (extra leagues)."
    )


def _is_header(cells: Sequence[str]) -> bool:
    columns = _columns(cells)
    return {"date", "home", "away"} <= columns.keys() and bool({"division", "country"} & columns.keys())


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Return the column of each meaning: the first of its aliases that the header has."""
    found = {meaning: next((name for name in aliases if name in header), None) for meaning, aliases in _ALIASES.items()}
    return {meaning: header.index(name) for meaning, name in found.items() if name is not None}


def _header(cells: Sequence[str], number: int, report: FileReport) -> Section | None:
    """Return the section that these cells head, if they are a header."""
    # The first check is cheap and excludes nearly every row.
    if not any("Date" in cell for cell in cells[:_DATE_WITHIN]) or not _is_header(
        names := [cell.strip() for cell in cells]
    ):
        return None
    for index in range(len(names) - 2):
        name = names[index]
        if name and name == names[index + 1] == names[index + 2] and name + "H" not in names:
            names[index : index + 3] = [name + outcome for outcome in "HDA"]
            report.note("info", f"the columns {name}, {name}, {name} are read as {name}H, {name}D, {name}A", number)
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        report.note("info", f"columns that the header names more than once count the first time: {', '.join(twice)}")
    if any(not name for name in names):
        report.note("info", "columns without a name are left out")
    if not find_triples(names):
        report.note("info", "the header has no odds")
    for sentence in unread_columns(names, _ALIASES):
        report.note("info", sentence)
    return Section(names, _columns(names))


def _cells(text: str, separator: str, report: FileReport) -> Iterator[tuple[int, list[str]]]:
    """Yield each line's number and cells; a quoted cell ends with its line."""
    for number, line in enumerate(_lines(text), start=1):
        if '"' not in line:
            yield number, line.split(separator)
        elif line.count('"') % 2:
            report.note("repaired", "a quote without its pair is left out", number)
            yield number, line.replace('"', "").split(separator)
        else:
            try:
                yield number, next(csv.reader([line], delimiter=separator))
            except csv.Error:
                # A cell of more than 128 kB: not a match, but a row that has to be counted.
                yield number, line.replace('"', "").split(separator)


def _mark(section: Section, cells: Sequence[str]) -> None:
    """Keep the status that a cell of the next row names, wherever it stands; a name is no status."""
    names = {section.columns[meaning] for meaning in _NAMES if meaning in section.columns}
    found = next(
        (status for place, cell in enumerate(cells) if place not in names and (status := parse_status(cell))), None
    )
    if found is not None:
        section.marked[len(section.rows)] = found


def _append(section: Section, cells: list[str], number: int, report: FileReport) -> None:
    width = len(section.header)
    if len(cells) > width:
        lost = any(cell.strip() for cell in cells[width:])
        extra = "cells" if lost else "blank cells"
        report.note("repaired", f"the row is longer than the header: {extra} after its end are left out", number)
        cells = cells[:width]
    elif len(cells) < width:
        if len(cells) <= max(section.columns.values()):
            report.note("repaired", "the row ends early; missing cells count as blank", number)
        cells = cells + [""] * (width - len(cells))
    section.add(cells, number)
