"""Which season a match belongs to, from the dates of its division where the file does not say."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

_SUMMER_MONTH = 7
_ONE_SEASON = timedelta(days=365)
_BREAK = timedelta(days=21)


def label_seasons(days: Iterable[date]) -> dict[date, str]:
    """Return the season (`2014/15`) of each date of one division in one file.

    Dates within one year are one season, named by the first: a season that a pandemic stretched into August
    stays whole. Over more than a year, a new season begins after a break of three weeks in summer.
    """
    ordered = sorted(set(days))
    if not ordered:
        return {}
    one_season = ordered[-1] - ordered[0] < _ONE_SEASON
    labels: dict[date, str] = {}
    previous = first = ordered[0]
    for day in ordered:
        summer_break = day.month >= _SUMMER_MONTH and day - previous >= _BREAK
        if not one_season and (summer_break or day - previous >= _ONE_SEASON):
            first = day
        labels[day] = _name(first)
        previous = day
    return labels


def _name(first: date) -> str:
    year = first.year if first.month >= _SUMMER_MONTH else first.year - 1
    return f"{year}/{(year + 1) % 100:02d}"
