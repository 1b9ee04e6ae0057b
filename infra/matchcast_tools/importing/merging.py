"""New files into the dataset: update, never duplicate; fixtures that vanished are withdrawn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from matchcast.snapshots.dataset import MATCHES, plain_schema
from matchcast_tools.dataset.tables import QUOTES
from matchcast_tools.importing.merging_odds import merge_quotes

_MOVED_WITHIN = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Matches (`MATCHES`) and odds (`QUOTES`), with text in place of dictionaries, both sorted."""

    matches: pa.Table
    quotes: pa.Table

    @classmethod
    def empty(cls) -> Dataset:
        """Return a dataset without a match."""
        return cls(plain_schema(MATCHES).empty_table(), QUOTES.empty_table())


@dataclass(slots=True)
class Changes:
    """What a merge did."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    repeated: int = 0
    kept_scores: int = 0
    withdrawn: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        """Tell whether the dataset is another one now."""
        return bool(self.added or self.updated or self.withdrawn or self.moved)


def merge(stored: Dataset, files: Sequence[tuple[pa.Table, pa.Table]]) -> tuple[Dataset, Changes]:
    """Return the dataset with the matches and odds of the files in it.

    A later file wins over an earlier one, and any file over what is stored, but a missing score never over a
    score. In each division and season of the files, stored matches without a score that the files no longer
    have are withdrawn, and played ones that the files have on another date are taken as moved there.
    """
    changes = Changes()
    fresh = _latest(pa.concat_tables([matches for matches, _ in files]), changes)
    fresh = _keep_scores(stored.matches, fresh, changes)
    gone = _gone(stored.matches, fresh, changes)
    staying = stored.matches.filter(pc.invert(pc.is_in(stored.matches["match_id"], pc.cast(gone, pa.string()))))
    replaced = pc.is_in(staying["match_id"], fresh["match_id"].combine_chunks())
    matches = pa.concat_tables([staying.filter(pc.invert(replaced)), fresh]).sort_by("match_id")
    quotes, touched = merge_quotes(matches["match_id"], stored.quotes, [odds for _, odds in files])
    both = fresh.filter(pc.is_in(fresh["match_id"], stored.matches["match_id"].combine_chunks()))
    before = _aligned(stored.matches, both["match_id"])
    differs = ~_equal_rows(before, both)
    known = both["match_id"].to_pylist()
    changes.added = len(fresh) - len(both)
    changes.updated = sum(
        bool(other) or match_id in touched for match_id, other in zip(known, differs.tolist(), strict=True)
    )
    changes.unchanged = len(both) - changes.updated
    return Dataset(matches, quotes), changes


def _latest(matches: pa.Table, changes: Changes) -> pa.Table:
    """Return one row a match: the last one, unless only an earlier one has the score."""
    chosen: dict[str, int] = {}
    scored = pc.is_valid(matches["home_goals"]).to_pylist()
    for place, match_id in enumerate(matches["match_id"].to_pylist()):
        earlier = chosen.get(match_id)
        if earlier is not None:
            changes.repeated += 1
            if scored[earlier] and not scored[place]:
                continue
        chosen[match_id] = place
    return matches.take(pa.array(chosen.values(), pa.int64()))


def _keep_scores(stored: pa.Table, fresh: pa.Table, changes: Changes) -> pa.Table:
    """Return the fresh rows with the stored row wherever that has a score and the fresh one has none."""
    scored = stored.filter(pc.is_valid(stored["home_goals"]))
    losing = pc.and_(pc.is_null(fresh["home_goals"]), pc.is_in(fresh["match_id"], scored["match_id"].combine_chunks()))
    changes.kept_scores = pc.sum(losing).as_py() or 0
    if not changes.kept_scores:
        return fresh
    kept = _aligned(scored, fresh.filter(losing)["match_id"])
    return pa.concat_tables([fresh.filter(pc.invert(losing)), kept])


def _gone(stored: pa.Table, fresh: pa.Table, changes: Changes) -> pa.Array:
    """Return the ids of stored matches that are withdrawn or moved, and list them in the changes."""
    scope = set(zip(fresh["division"].to_pylist(), fresh["season"].to_pylist(), strict=True))
    absent = stored.filter(pc.invert(pc.is_in(stored["match_id"], fresh["match_id"].combine_chunks())))
    absent = absent.filter(
        pa.array(
            [pair in scope for pair in zip(absent["division"].to_pylist(), absent["season"].to_pylist(), strict=True)],
            pa.bool_(),
        )
    )
    if len(absent):
        new = fresh.filter(pc.invert(pc.is_in(fresh["match_id"], stored["match_id"].combine_chunks())))
        dates: dict[tuple[object, ...], list[date]] = defaultdict(list)
        for key, day in _keys(new):
            dates[key].append(day)
        ids, scored = absent["match_id"].to_pylist(), pc.is_valid(absent["home_goals"]).to_pylist()
        for match_id, has_score, (key, day) in zip(ids, scored, _keys(absent), strict=True):
            if not has_score:
                changes.withdrawn.append(match_id)
            elif (other := next((each for each in dates[key] if abs(each - day) <= _MOVED_WITHIN), None)) is not None:
                dates[key].remove(other)
                changes.moved.append(match_id)
    return pa.array(changes.withdrawn + changes.moved, pa.string())


def _keys(matches: pa.Table) -> Iterable[tuple[tuple[object, ...], date]]:
    """Yield what stays the same when a match moves to another date, and its date."""
    names = ("division", "season", "home_team", "away_team", "home_goals", "away_goals")
    columns = [matches[name].to_pylist() for name in names]
    return zip(zip(*columns, strict=True), matches["date"].to_pylist(), strict=True)


def _aligned(matches: pa.Table, ids: pa.ChunkedArray) -> pa.Table:
    """Return the rows with these ids, in their order; all of them are there."""
    return matches.take(pc.index_in(ids, matches["match_id"].combine_chunks()))


def _equal_rows(left: pa.Table, right: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    equal = np.ones(len(left), dtype=bool)
    for name in left.column_names:
        same = pc.fill_null(pc.equal(left[name], right[name]), fill_value=False)
        both_null = pc.and_(pc.is_null(left[name]), pc.is_null(right[name]))
        equal &= pc.or_(same, both_null).to_numpy()
    return equal
