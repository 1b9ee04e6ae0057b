"""The season of matches whose file does not name it, after the matches of their division that are known."""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from matchcast_tools.importing.divisions import CALENDAR_YEARS, split_season

_SAME_SEASON = timedelta(days=21)


def fill_seasons(fresh: pa.Table, stored: pa.Table) -> pa.Table:
    """Return fresh matches with a season each; files of extra leagues may leave it out, as those of fixtures do.

    A match within three weeks of one that has a season is of the same one. Another is of the season that its date
    falls into, in the form that its division uses: `2026`, or `2025/26`.
    """
    missing = pc.is_null(fresh["season"])
    if not pc.any(missing).as_py():
        return fresh
    divisions = pc.unique(fresh.filter(missing)["division"])
    known: dict[str, list[tuple[date, str]]] = defaultdict(list)
    for table in (stored, fresh):
        own = table.filter(pc.and_(pc.is_in(table["division"], divisions), pc.is_valid(table["season"])))
        for division, day, season in _rows(own):
            known[division].append((day, season))
    for rows in known.values():
        rows.sort()
    seasons = [season or _season(known[division], division, day) for division, day, season in _rows(fresh)]
    return fresh.set_column(fresh.column_names.index("season"), "season", pa.array(seasons, pa.string()))


def _season(known: list[tuple[date, str]], division: str, day: date) -> str:
    place = bisect(known, (day, ""))
    around = known[max(place - 1, 0) : place + 1]
    if not around:
        return str(day.year) if division in CALENDAR_YEARS else split_season(day)
    nearest, season = min(around, key=lambda row: abs(row[0] - day))
    if abs(nearest - day) <= _SAME_SEASON:
        return season
    return split_season(day) if "/" in season else str(day.year)


def _rows(matches: pa.Table) -> zip[tuple[str, date, str]]:
    return zip(*(matches[name].to_pylist() for name in ("division", "date", "season")), strict=True)
