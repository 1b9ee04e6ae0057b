"""Features of every match from earlier matches only: the matches of one day never see each other."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from matchcast.snapshots.dataset import FEATURES_FILE, MOMENT, STATISTICS
from matchcast_tools.dataset import store
from matchcast_tools.dataset.store import DATA_DIR
from matchcast_tools.features.feature_row import FEATURE_COLUMNS, describe
from matchcast_tools.features.feature_state import Checkpoint, digest, load_checkpoints, save_checkpoints
from matchcast_tools.features.ratings import Played, Region, Tuning

Progress = Callable[[int, int, str], None]
"""Called with matches done, matches in all, and the name of the next region."""


class Row(NamedTuple):
    """A match as the features see it; without a score `played` is None."""

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
    """What was built; `computed` is less than `matches` where the past was kept."""

    matches: int
    computed: int
    regions: int
    columns: tuple[str, ...]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return {**asdict(self), "columns": list(self.columns), "seconds": round(self.seconds, 3)}


class Computed(NamedTuple):
    """Features of some rows, float64 [n, k], the latest kick-off used for each, and the next checkpoint."""

    ids: list[str]
    values: list[tuple[float, ...]]
    as_of: list[int]
    checkpoint: Checkpoint | None


def build_features(
    data_dir: Path = DATA_DIR, progress: Progress | None = None, *, afresh: bool = False, tuning: Tuning | None = None
) -> FeatureReport:
    """Compute the features of every match of the dataset, fixtures included, and save them.

    Regions whose past is what it was continue from their checkpoint, with results equal to a full computation
    bit by bit; `afresh` computes everything.

    Raises
    ------
    BadInput
        If there is no dataset, or it cannot be read.
    """
    start = time.perf_counter()
    tuning = tuning or Tuning()
    regions = rows_by_region(store.decode(store.read_matches(data_dir)))
    total = sum(map(len, regions.values()))
    path = data_dir / FEATURES_FILE
    checkpoints = {} if afresh or not path.exists() else load_checkpoints(data_dir, path, tuning)
    known = _stored(path) if checkpoints else {}
    parts, done, computed = [], 0, 0
    for name, rows in regions.items():
        if progress is not None:
            progress(done, total, name)
        found, fresh = _continue(rows, checkpoints.get(name), known, tuning)
        parts.append((name, found))
        done += len(rows)
        computed += fresh
    table = features_table([part for _, part in parts])
    store.write_table(path, table)
    made = {name: part.checkpoint for name, part in parts if part.checkpoint is not None}
    save_checkpoints(data_dir, made, path, tuning)
    return FeatureReport(len(table), computed, len(regions), FEATURE_COLUMNS, time.perf_counter() - start)


def rows_by_region(matches: pa.Table) -> dict[str, list[Row]]:
    """Return the matches of each region by date and id, whatever their order in the table."""
    regions: dict[str, list[Row]] = {}
    for region, row in _rows(matches):
        regions.setdefault(region, []).append(row)
    for rows in regions.values():
        rows.sort(key=lambda row: (row.day, row.match_id))
    return dict(sorted(regions.items()))


def compute(rows: Sequence[Row], tuning: Tuning, checkpoint: Checkpoint | None = None) -> Computed:
    """Return the features of a region's rows, all later than the checkpoint, in order of date and id.

    Every row of a day is described before the results of that day are learnt.
    """
    region = Region(tuning) if checkpoint is None else Region.from_dict(checkpoint.region, tuning)
    latest = None if checkpoint is None else checkpoint.as_of
    last_played = max((row.day for row in rows if row.played is not None), default=None)
    ids: list[str] = []
    values: list[tuple[float, ...]] = []
    as_of: list[int] = []
    following = checkpoint
    for day, group in groupby(rows, key=lambda row: row.day):
        if day == last_played:
            following = Checkpoint(day - 1, "", latest, region.as_dict())
        today = list(group)
        for row in today:
            ids.append(row.match_id)
            values.append(describe(region, row.division, row.season, day, (row.home, row.away)))
            as_of.append(row.kickoff if latest is None else min(latest, row.kickoff))
        for row in today:
            if row.played is not None:
                region.learn(row.played)
                latest = row.kickoff if latest is None else max(latest, row.kickoff)
    return Computed(ids, values, as_of, following)


def features_table(parts: Sequence[Computed]) -> pa.Table:
    """Return features as the table that is stored: `match_id`, float32 columns, `as_of`, sorted by id."""
    ids = [match_id for part in parts for match_id in part.ids]
    values = np.array([row for part in parts for row in part.values], dtype=np.float32)
    as_of = [moment for part in parts for moment in part.as_of]
    columns = {name: pa.array(values[:, index]) for index, name in enumerate(FEATURE_COLUMNS)}
    return pa.table({"match_id": ids, **columns, "as_of": pa.array(as_of, pa.int64()).cast(MOMENT)}).sort_by("match_id")


def _continue(
    rows: Sequence[Row],
    checkpoint: Checkpoint | None,
    known: Mapping[str, tuple[tuple[float, ...], int]],
    tuning: Tuning,
) -> tuple[Computed, int]:
    """Return the features of all rows, and how many of them had to be computed."""
    past: Sequence[Row] = ()
    if checkpoint is not None:
        past = [row for row in rows if row.day <= checkpoint.through]
        if digest(past) != checkpoint.digest or any(row.match_id not in known for row in past):
            past, checkpoint = (), None
    fresh = compute(rows[len(past) :], tuning, checkpoint)
    kept = [known[row.match_id] for row in past]
    following = fresh.checkpoint
    if following is not None:
        seen = digest(row for row in rows if row.day <= following.through)
        following = Checkpoint(following.through, seen, following.as_of, following.region)
    whole = Computed(
        [row.match_id for row in past] + fresh.ids,
        [values for values, _ in kept] + fresh.values,
        [as_of for _, as_of in kept] + fresh.as_of,
        following,
    )
    return whole, len(fresh.ids)


def _stored(path: Path) -> dict[str, tuple[tuple[float, ...], int]]:
    """Return the stored features and `as_of` by match id."""
    table = store.read_table(path, "Run `matchcast features --afresh`.")
    columns = [table[name].to_pylist() for name in FEATURE_COLUMNS]
    moments = table["as_of"].cast(pa.int64()).to_pylist()
    return dict(zip(table["match_id"].to_pylist(), zip(zip(*columns, strict=True), moments, strict=True), strict=True))


def _rows(matches: pa.Table) -> Iterator[tuple[str, Row]]:
    names = ("region", "match_id", "division", "season", "home_team", "away_team", "status", "home_goals", "away_goals")
    columns = [matches[name].to_pylist() for name in (*names, *STATISTICS)]
    days = [day.toordinal() for day in matches["date"].to_pylist()]
    kickoffs = matches["kickoff"].cast(pa.int64()).to_pylist()
    for day, kickoff, region, match_id, division, season, home, away, status, home_goals, away_goals, *seen in zip(
        days, kickoffs, *columns, strict=True
    ):
        played = None
        # Awarded results say nothing about how well a team plays.
        if status == "played":
            known = [math.nan if count is None else count for count in seen]
            played = Played(division, season, day, home, away, home_goals, away_goals, *known)
        yield region, Row(day, match_id, kickoff, division, season, home, away, played)
