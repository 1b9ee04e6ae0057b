"""When each odds row was taken: before the match on a collection day, or at kick-off."""

from __future__ import annotations

from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from matchcast.snapshots.dataset import MOMENT
from matchcast_tools.importing.quotes import taken_before

_taken_before = lru_cache(maxsize=50_000)(taken_before)


def taken_times(matches: pa.Table, quotes: pa.Table) -> pa.Array:
    """Return the time of each odds row; every match of the quotes is among the matches."""
    before = pa.array(
        [
            _taken_before(day, kickoff)
            for day, kickoff in zip(matches["date"].to_pylist(), matches["kickoff"].to_pylist(), strict=True)
        ],
        MOMENT,
    )
    match = pc.index_in(quotes["match_id"], matches["match_id"].combine_chunks())
    return pc.if_else(quotes["closing"], matches["kickoff"].take(match), before.take(match))


def closing_flags(matches: pa.Table, odds: pa.Table) -> pa.Array:
    """Return, for each stored odds row, whether it was taken at kick-off."""
    match = pc.index_in(odds["match_id"], matches["match_id"].combine_chunks())
    return pc.equal(odds["taken_at"], matches["kickoff"].take(match))
