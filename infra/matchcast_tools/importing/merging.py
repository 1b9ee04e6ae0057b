"""New files into the dataset: update, never duplicate; fixtures that vanished are withdrawn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from matchcast.domain.prediction import OUTCOMES
from matchcast.snapshots.dataset import MATCHES_SCHEMA, plain_schema
from matchcast_tools.importing.match_file import ParsedFile
from matchcast_tools.importing.quotes import QUOTES, coded, places_among
from matchcast_tools.importing.report import Changes
from matchcast_tools.importing.seasons import fill_seasons
from matchcast_tools.importing.teams import team_key

_MOVED_WITHIN, _ONE_DAY = timedelta(days=60), timedelta(days=1)

Pair = tuple[str, str, str, str]
"""Division, season, and the keys of the two clubs."""
Score = tuple[int | None, ...]


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
    score. In each division and season of the files, a stored match without a score is withdrawn if the files have it
    on another date, or name all matches around its date without it. A played one that the files have on another date,
    or under other names of its clubs, is taken as moved there.
    """
    changes = Changes()
    read = fill_seasons(pa.concat_tables([file.matches for file in files]), stored.matches)
    fresh = _latest(read, changes)
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
    codes = matches["match_id"].combine_chunks().dictionary_encode()
    changes.repeated = len(matches) - len(codes.dictionary)
    if not changes.repeated:
        return matches
    # Those with a score come after all others here; the last one of a match counts.
    rank = np.arange(len(matches)) + len(matches) * pc.is_valid(matches["home_goals"]).to_numpy()
    last = np.zeros(len(codes.dictionary), np.int64)
    np.maximum.at(last, codes.indices.to_numpy(), rank)
    return matches.take(pa.array(last % len(matches)))


def _keep_scores(stored: pa.Table, fresh: pa.Table, changes: Changes) -> pa.Table:
    """Return the fresh rows with the stored row wherever that has a score and the fresh one has none."""
    scored = stored.filter(pc.is_valid(stored["home_goals"]))
    losing = pc.and_(pc.is_null(fresh["home_goals"]), _among(fresh, scored))
    changes.kept_scores = pc.sum(losing).as_py() or 0
    if not changes.kept_scores:
        return fresh
    return pa.concat_tables([fresh.filter(pc.invert(losing)), _aligned(scored, fresh.filter(losing))])


def _find_gone(stored: pa.Table, fresh: pa.Table, changes: Changes) -> None:
    """List the ids of stored matches that are withdrawn or moved in the changes."""
    # Few divisions have lost a match, and in a large import the others are many.
    lost = _without(stored, fresh)
    touched = pc.unique(lost["division"])
    fresh = fresh.filter(pc.is_in(fresh["division"], touched))
    listed = _listed_until(fresh)
    came: dict[Pair, list[tuple[date, Score]]] = defaultdict(list)
    for _, day, pair, score in _identities(_without(fresh, stored)):
        came[pair].append((day, score))
    for match_id, day, pair, score in _identities(lost):
        span = listed.get(pair[:2])
        if span is None:
            continue
        near = [new for new in came[pair] if abs(new[0] - day) <= _MOVED_WITHIN]
        if None in score:
            if near or span[0] <= day <= span[1]:
                changes.withdrawn.append(match_id)
        elif (same := next((new for new in near if new[1] == score), None)) is not None:
            came[pair].remove(same)
            changes.moved.append(match_id)


def _listed_until(fresh: pa.Table) -> dict[tuple[str, str], tuple[date, date]]:
    """Return from when and until when the files name every match of each division and season.

    Results are named from the beginning of a season to the day before the last of them; that day may not be over.
    Fixtures are named from the first to the last.
    """
    spans: dict[tuple[str, str], tuple[date, date]] = {}
    names = ("division", "season", "date", "home_goals")
    for division, season, day, goals in zip(*(fresh[name].to_pylist() for name in names), strict=True):
        first, last = (day, day) if goals is None else (date.min, day - _ONE_DAY)
        known = spans.get((division, season), (first, last))
        spans[division, season] = min(first, known[0]), max(last, known[1])
    return spans


def _identities(matches: pa.Table) -> Iterable[tuple[str, date, Pair, Score]]:
    """Return the id, the date, the clubs, and the score of each match; names of a club may be spelt in other ways."""
    columns = ("match_id", "date", "division", "season", "region", "home_team", "away_team", "home_goals", "away_goals")
    for match_id, day, division, season, region, home, away, *score in zip(
        *(matches[name].to_pylist() for name in columns), strict=True
    ):
        yield match_id, day, (division, season, team_key(region, home), team_key(region, away)), tuple(score)


def _merge_quotes(matches: pa.Table, stored: pa.Table, fresh: Sequence[pa.Table]) -> tuple[pa.Table, pa.Array]:
    """Return the odds of sorted matches, and the ids of those whose odds are new or have changed.

    Of several odds for one match, bookmaker and kind the last table's count, and any over what is stored.
    """
    quotes = pa.concat_tables([stored, *fresh])
    ids = matches["match_id"].combine_chunks()
    books = pa.array(
        sorted({name for chunk in quotes["bookmaker"].chunks for name in chunk.dictionary.to_pylist()}), pa.string()
    )
    # Millions of rows: arrays that are done with are not kept beside the next ones.
    # One number for match, bookmaker and kind, which sorts as these three do; below zero where there is no such match.
    keys = places_among(quotes["match_id"], ids).astype(np.int64)
    keys *= len(books)
    keys += places_among(quotes["bookmaker"], books)
    keys *= 2
    keys += quotes["closing"].to_numpy()
    order = np.argsort(keys, kind="stable")
    order = order[np.count_nonzero(keys < 0) :]
    keys = keys[order]
    # The first row of a key is the stored one, if there is one; the last row counts.
    new = np.concatenate([[True], keys[1:] != keys[:-1], [True]]) if len(keys) else np.zeros(1, dtype=bool)
    first, last, keys = order[new[:-1]], order[new[1:]], keys[new[:-1]]
    del order
    same = first < len(stored)
    odds = []
    for name in OUTCOMES:
        prices = quotes[name].to_numpy()
        same &= prices[first] == prices[last]
        odds.append(prices[last])
    del first, last, prices
    closing = keys % 2 == 1
    keys //= 2
    match, bookmaker = (part.astype(np.int32) for part in np.divmod(keys, max(len(books), 1)))
    chosen = pa.table([coded(match, ids), coded(bookmaker, books), closing, *odds], schema=QUOTES)
    return chosen, ids.take(pa.array(np.unique(match[~same])))


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
