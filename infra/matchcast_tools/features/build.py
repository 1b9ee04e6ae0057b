"""Features of every match from earlier matches only: the matches of one day never see each other."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from matchcast.snapshots.dataset import FEATURES_FILE, MOMENT, STATISTICS
from matchcast_tools.dataset import store
from matchcast_tools.features.feature_row import FEATURE_COLUMNS, describe
from matchcast_tools.features.ratings import Played, Region, Tuning
from matchcast_tools.importing.teams import team_key
from matchcast_tools.progress import Items


class Row(NamedTuple):
    """A match as the features see it; `played` is None where there is nothing to learn from it."""

    day: int
    match_id: str
    kickoff: int
    division: str
    season: str
    home: str
    away: str
    played: Played | None


@dataclass(frozen=True, slots=True)
class FeatureReport:
    """What was computed, and how long it took."""

    matches: int
    regions: int
    columns: tuple[str, ...]
    seconds: float


class Computed(NamedTuple):
    """Features of some rows, float64 [n, k], and the latest kick-off used for each."""

    ids: list[str]
    values: list[tuple[float, ...]]
    as_of: list[int]


def build_features(data_dir: Path, progress: Items = lambda *_: None) -> FeatureReport:
    """Compute the features of every match of the dataset, fixtures included, and save them.

    Raises
    ------
    BadInput
        If there is no dataset, or it cannot be read.
    """
    start = time.perf_counter()
    regions = rows_by_region(store.decode(store.read_matches(data_dir)))
    total = sum(map(len, regions.values()))
    parts: list[Computed] = []
    done = 0
    for name, rows in regions.items():
        progress(done, total, name)
        parts.append(compute(rows, Tuning()))
        done += len(rows)
    store.write_table(data_dir / FEATURES_FILE, features_table(parts))
    return FeatureReport(total, len(regions), FEATURE_COLUMNS, round(time.perf_counter() - start, 3))


def rows_by_region(matches: pa.Table) -> dict[str, list[Row]]:
    """Return the matches of each region by date and id, whatever their order in the table."""
    names = ("region", "match_id", "division", "season", "home_team", "away_team", "status", "home_goals", "away_goals")
    columns = [matches[name].to_pylist() for name in (*names, *STATISTICS)]
    days = [day.toordinal() for day in matches["date"].to_pylist()]
    kickoffs = matches["kickoff"].cast(pa.int64()).to_pylist()
    regions: dict[str, list[Row]] = {}
    for day, kickoff, region, match_id, division, season, home, away, status, home_goals, away_goals, *seen in zip(
        days, kickoffs, *columns, strict=True
    ):
        played = None
        clubs = team_key(region, home), team_key(region, away)
        # Awarded results say nothing about how well a team plays.
        if status == "played":
            known = [math.nan if count is None else count for count in seen]
            played = Played(division, season, day, *clubs, home_goals, away_goals, *known)
        row = Row(day, match_id, kickoff, division, season, *clubs, played)
        regions.setdefault(region, []).append(row)
    for rows in regions.values():
        rows.sort(key=lambda row: (row.day, row.match_id))
    return dict(sorted(regions.items()))


def compute(rows: Sequence[Row], tuning: Tuning) -> Computed:
    """Return the features of a region's rows, which come in order of date and id.

    Every row of a day is described before the results of that day are learnt.
    """
    region = Region(tuning)
    latest: int | None = None
    computed = Computed([], [], [])
    for day, group in groupby(rows, key=lambda row: row.day):
        today = list(group)
        for row in today:
            computed.ids.append(row.match_id)
            computed.values.append(describe(region, row.division, row.season, day, (row.home, row.away)))
            computed.as_of.append(row.kickoff if latest is None else min(latest, row.kickoff))
        for row in today:
            if row.played is not None:
                region.learn(row.played)
                latest = row.kickoff if latest is None else max(latest, row.kickoff)
    return computed


def features_table(parts: Sequence[Computed]) -> pa.Table:
    """Return features as the table that is stored: `match_id`, float32 columns, `as_of`, sorted by id."""
    ids = [match_id for part in parts for match_id in part.ids]
    values = np.array([row for part in parts for row in part.values], dtype=np.float32)
    as_of = [moment for part in parts for moment in part.as_of]
    columns = {name: pa.array(values[:, index]) for index, name in enumerate(FEATURE_COLUMNS)}
    return pa.table({"match_id": ids, **columns, "as_of": pa.array(as_of, pa.int64()).cast(MOMENT)}).sort_by("match_id")
