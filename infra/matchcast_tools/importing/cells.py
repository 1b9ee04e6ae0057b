"""Single cells of a match file: dates that are always day first, London times, goals, names."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
"""The clock that the `Time` column of match files follows."""

_DAY_FIRST = re.compile(r"(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4}|\d{2})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_TIME = re.compile(r"(\d{1,2})[:.](\d{2})(?::\d{2})?", re.ASCII)
_WHOLE = re.compile(r"\d{1,2}(?:\.0+)?", re.ASCII)
_TWO_DIGIT_YEARS_FROM = 1970
_MONTHS, _LONGEST_MONTH = 12, 31
_EXCEL_ERROR = re.compile(r"#(?:REF|N/A|NAME|VALUE|DIV/0|NULL|NUM)[!?]?", re.IGNORECASE)
_STATUS_WORDS = {
    **dict.fromkeys(("abandoned", "aban", "abnd", "abd"), "abandoned"),
    **dict.fromkeys(("cancelled", "canceled", "annulled", "void"), "abandoned"),
    **dict.fromkeys(("awarded", "awd", "awrd", "walkover", "w/o"), "awarded"),
    **dict.fromkeys(("postponed", "postp", "ppd", "p-p"), "fixture"),
}
_ANY_STATUS_WORD = re.compile("|".join(map(re.escape, _STATUS_WORDS)), re.IGNORECASE)
EARLIEST = date(1870, 1, 1)
LATEST = date(2100, 1, 1)


@lru_cache(maxsize=50_000)
def parse_date(text: str) -> date | None:
    """Return the date of a cell, day first (`14/08/93`, `14/08/1993`), or year first with hyphens; else None.

    A date that is only possible with the month first is not a date: day and month are never exchanged.
    """
    text = text.strip()
    if (found := _DAY_FIRST.fullmatch(text)) is not None:
        day, month, year = int(found[1]), int(found[2]), int(found[3])
        if len(found[3]) == 2:
            year += 1900 if year + 1900 >= _TWO_DIGIT_YEARS_FROM else 2000
    elif (found := _YEAR_FIRST.fullmatch(text)) is not None:
        year, month, day = int(found[1]), int(found[2]), int(found[3])
    else:
        return None
    try:
        parsed = date(year, month, day)
    except ValueError:
        return None
    return parsed if EARLIEST <= parsed < LATEST else None


def is_day_first(text: str) -> bool | None:
    """Return whether a date can only have the day first (`16/08/14`), only the month (`08/16/14`), or None: both."""
    found = _DAY_FIRST.fullmatch(text.strip())
    if found is None:
        return None
    first, second = int(found[1]), int(found[2])
    if first <= _MONTHS < second <= _LONGEST_MONTH:
        return False
    return True if second <= _MONTHS < first <= _LONGEST_MONTH else None


def parse_status(text: str) -> str | None:
    """Return the status that a cell names in a word: `abandoned` (cancelled too), `awarded`, `fixture` (postponed)."""
    return _STATUS_WORDS.get(text.strip().lower())


def may_have_status(text: str) -> bool:
    """Return whether a text may have a cell that names a status."""
    return _ANY_STATUS_WORD.search(text) is not None


@lru_cache(maxsize=5_000)
def parse_time(text: str) -> time | None:
    """Return the time of a cell such as `20:00`, else None."""
    found = _TIME.fullmatch(text.strip())
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        return None
    return time(int(found[1]), int(found[2]))


@lru_cache(maxsize=50_000)
def kickoff(day: date, clock: time | None) -> datetime:
    """Return when a match starts: its London time in UTC, or 00:00 UTC of its date where no time is known."""
    if clock is None:
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    return datetime.combine(day, clock, tzinfo=LONDON).astimezone(UTC)


@lru_cache(maxsize=1_000)
def parse_goals(text: str) -> int | None:
    """Return a whole number from 0 to 99, else None."""
    text = text.strip()
    return int(text.split(".")[0]) if _WHOLE.fullmatch(text) else None


@lru_cache(maxsize=50_000)
def parse_name(text: str) -> str:
    """Return a name with single spaces, or an empty text for a blank cell or a spreadsheet's error."""
    name = " ".join(text.split())
    return "" if _EXCEL_ERROR.fullmatch(name) else name


def parse_number(text: str) -> float | None:
    """Return the odds of a cell (the decimal point may be a comma), NaN for a blank cell, or None for text."""
    text = text.strip()
    if not text:
        return float("nan")
    if not text.isascii() or "_" in text:
        return None
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def parse_season(text: str) -> str | None:
    """Return `2014/15` or `2014` from a season cell (`2014/2015`, `2014-15`, `2014`), else None."""
    found = re.fullmatch(r"(\d{4})(?:\s*[/\-]\s*(\d{4}|\d{2}))?", text.strip())
    if found is None:
        return None
    if found[2] is None:
        return found[1]
    if (int(found[1]) + 1) % 100 != int(found[2]) % 100:
        return None
    return f"{found[1]}/{found[2][-2:]}"
