"""Which season a match belongs to, from the dates of its division where the file does not say."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

_SUMMER_MONTH, _LATEST_START = 7, 10
_ONE_SEASON = timedelta(days=365)
_BREAK, _LONG_BREAK = timedelta(days=21), timedelta(days=56)


def label_seasons(days: Iterable[date]) -> dict[date, str]:
    """Return the season (`2014/15`) of each date of one division in one file.

    A new season begins after a break of three weeks in summer. Where all dates lie within one year it takes
    eight weeks, so that a season that a pandemic stretched into August stays whole.
    """
    ordered = sorted(set(days))
    if not ordered:
        return {}
    enough = _LONG_BREAK if ordered[-1] - ordered[0] < _ONE_SEASON else _BREAK
    labels: dict[date, str] = {}
    previous = first = ordered[0]
    for day in ordered:
        in_summer = _SUMMER_MONTH <= day.month <= _LATEST_START
        if (in_summer and day - previous >= enough) or day - previous >= _ONE_SEASON:
            first = day
        labels[day] = _name(first)
        previous = day
    return labels


def _name(first: date) -> str:
    year = first.year if first.month >= _SUMMER_MONTH else first.year - 1
    return f"{year}/{(year + 1) % 100:02d}"
