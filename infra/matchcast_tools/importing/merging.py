"""New files into the dataset: update, never duplicate; fixtures that vanished are withdrawn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from matchcast.domain.prediction import OUTCOMES
from matchcast.snapshots.dataset import MATCHES_SCHEMA, plain_schema
from matchcast_tools.importing.match_file import ParsedFile
from matchcast_tools.importing.quotes import QUOTES
from matchcast_tools.importing.report import Changes

_MOVED_WITHIN = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Matches (`MATCHES_SCHEMA`) and odds (`QUOTES`), with text in place of dictionaries, both sorted."""

    matches: pa.Table
    quotes: pa.Table

    @classmethod
    def empty(cls) -> Dataset:
        """Return a dataset without a match."""
        return cls(plain_schema(MATCHES_SCHEMA).empty_table(), QUOTES.empty_table())


def merge(stored: Dataset, files: Sequence[ParsedFile]) -> tuple[Dataset, Changes]:
    """Return the dataset with the matches and odds of the files in it.

    A later file wins over an earlier one, and any file over what is stored, but a missing score never over a
    score. In each division and season of the files, stored matches without a score that the files no longer
    have are withdrawn, and played ones that the files have on another date are taken as moved there.
    """
    changes = Changes()
    fresh = _latest(pa.concat_tables([file.matches for file in files]), changes)
    fresh = _keep_scores(stored.matches, fresh, changes)
    _find_gone(stored.matches, fresh, changes)
    gone = pa.array(changes.withdrawn + changes.moved, pa.string())
    staying = stored.matches.filter(pc.invert(pc.is_in(stored.matches["match_id"], gone)))
    matches = pa.concat_tables([_without(staying, fresh), fresh]).sort_by("match_id")
    quotes, touched = _merge_quotes(matches, stored.quotes, [file.odds for file in files])
    both = fresh.filter(_among(fresh, stored.matches))
    differs = pc.or_(_differing(_aligned(stored.matches, both), both), pc.is_in(both["match_id"], touched))
    changes.added = len(fresh) - len(both)
    changes.updated = pc.sum(differs).as_py() or 0
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
    losing = pc.and_(pc.is_null(fresh["home_goals"]), _among(fresh, scored))
    changes.kept_scores = pc.sum(losing).as_py() or 0
    return pa.concat_tables([fresh.filter(pc.invert(losing)), _aligned(scored, fresh.filter(losing))])


def _find_gone(stored: pa.Table, fresh: pa.Table, changes: Changes) -> None:
    """List the ids of stored matches that are withdrawn or moved in the changes."""
    scope = set(zip(fresh["division"].to_pylist(), fresh["season"].to_pylist(), strict=True))
    dates: dict[tuple[object, ...], list[date]] = defaultdict(list)
    for _, day, key in _identities(_without(fresh, stored)):
        dates[key].append(day)
    for match_id, day, key in _identities(_without(stored, fresh)):
        division, season, *_, home_goals, _ = key
        if (division, season) not in scope:
            continue
        if home_goals is None:
            changes.withdrawn.append(match_id)
        elif (other := next((each for each in dates[key] if abs(each - day) <= _MOVED_WITHIN), None)) is not None:
            dates[key].remove(other)
            changes.moved.append(match_id)


def _identities(matches: pa.Table) -> Iterable[tuple[str, date, tuple[object, ...]]]:
    """Return the id and the date of each match, and what stays the same when it moves to another date."""
    names = ("division", "season", "home_team", "away_team", "home_goals", "away_goals")
    same = zip(*(matches[name].to_pylist() for name in names), strict=True)
    return zip(matches["match_id"].to_pylist(), matches["date"].to_pylist(), same, strict=True)


def _merge_quotes(matches: pa.Table, stored: pa.Table, fresh: Sequence[pa.Table]) -> tuple[pa.Table, pa.Array]:
    """Return the odds of sorted matches, and the ids of those whose odds are new or have changed.

    Of several odds for one match, bookmaker and kind the last table's count, and any over what is stored.
    """
    quotes = pa.concat_tables([stored, *fresh])
    match = pc.index_in(quotes["match_id"], matches["match_id"].combine_chunks())
    present = pc.is_valid(match)
    stored_count = pc.sum(present.slice(0, len(stored))).as_py() or 0
    quotes = quotes.filter(present)
    keys = _quote_keys(match.drop_null().to_numpy(), quotes)
    # The first row of a key is the stored one, if there is one; the last row counts.
    _, first = np.unique(keys, return_index=True)
    _, from_end = np.unique(keys[::-1], return_index=True)
    last = len(keys) - 1 - from_end
    same = first < stored_count
    for name in OUTCOMES:
        odds = quotes[name].to_numpy()
        same &= odds[first] == odds[last]
    chosen = quotes.take(pa.array(last)).combine_chunks()
    return chosen, chosen["match_id"].filter(pa.array(~same)).combine_chunks()


def _quote_keys(match: npt.NDArray[np.int32], quotes: pa.Table) -> npt.NDArray[np.int64]:
    """Return one number for match, bookmaker and kind that sorts as these three do."""
    names = pc.unique(quotes["bookmaker"]).sort()
    bookmaker = pc.index_in(quotes["bookmaker"], names).to_numpy().astype(np.int64)
    closing = quotes["closing"].to_numpy()
    keys: npt.NDArray[np.int64] = (match.astype(np.int64) * (len(names) + 1) + bookmaker) * 2 + closing
    return keys


def _among(matches: pa.Table, others: pa.Table) -> pa.ChunkedArray:
    """Return which matches the others have, too."""
    return pc.is_in(matches["match_id"], others["match_id"].combine_chunks())


def _without(matches: pa.Table, others: pa.Table) -> pa.Table:
    """Return the matches that the others do not have."""
    return matches.filter(pc.invert(_among(matches, others)))


def _aligned(matches: pa.Table, others: pa.Table) -> pa.Table:
    """Return the rows with the ids of the others, in their order; all of them are there."""
    return matches.take(pc.index_in(others["match_id"], matches["match_id"].combine_chunks()))


def _differing(left: pa.Table, right: pa.Table) -> pa.Array:
    """Return which rows differ in any column; two missing values are equal."""
    equal = np.ones(len(left), dtype=bool)
    for name in left.column_names:
        same = pc.fill_null(pc.equal(left[name], right[name]), fill_value=False)
        both_null = pc.and_(pc.is_null(left[name]), pc.is_null(right[name]))
        equal &= pc.or_(same, both_null).to_numpy()
    return pa.array(~equal)
