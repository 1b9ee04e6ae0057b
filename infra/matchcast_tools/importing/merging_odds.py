"""Odds of new files into those of the dataset, by match, bookmaker and whether they are closing odds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_ODDS = ("home", "draw", "away")


def merge_quotes(ids: pa.ChunkedArray, stored: pa.Table, fresh: Sequence[pa.Table]) -> tuple[pa.Table, set[str]]:
    """Return the odds of the matches with these sorted ids, and the ids of those whose odds are new or others.

    Of several odds for one match, bookmaker and kind the last table's count, and any over what is stored.
    """
    everything = pa.concat_tables([stored, *fresh])
    ids = ids.combine_chunks()
    match = pc.index_in(everything["match_id"], ids)
    everything = everything.filter(pc.is_valid(match))
    is_stored = np.arange(len(match)) < len(stored)
    is_stored = is_stored[pc.is_valid(match).to_numpy()]
    keys = _keys(match.drop_null().to_numpy(), everything)
    # np.unique gives the first of equal keys, and the last table counts: so look from the end.
    _, from_end = np.unique(keys[::-1], return_index=True)
    chosen = len(keys) - 1 - from_end
    touched = _touched(everything, keys, chosen, is_stored)
    return everything.take(pa.array(chosen)).combine_chunks(), touched


def _keys(match: npt.NDArray[np.int64], quotes: pa.Table) -> npt.NDArray[np.int64]:
    """Return one number for match, bookmaker and kind that sorts as these three do."""
    names = pc.unique(quotes["bookmaker"])
    names = names.take(pc.sort_indices(names))
    bookmaker = pc.index_in(quotes["bookmaker"], names).to_numpy().astype(np.int64)
    closing = quotes["closing"].to_numpy().astype(np.int64)
    keys: npt.NDArray[np.int64] = (match.astype(np.int64) * (len(names) + 1) + bookmaker) * 2 + closing
    return keys


def _touched(
    quotes: pa.Table, keys: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64], is_stored: npt.NDArray[np.bool_]
) -> set[str]:
    """Return the ids of matches for which a chosen odds row is not the same as the stored one."""
    stored = np.flatnonzero(is_stored)
    places = np.searchsorted(keys[stored], keys[chosen]) if len(stored) else np.zeros(len(chosen), dtype=np.int64)
    places = np.minimum(places, max(len(stored) - 1, 0))
    known = keys[stored][places] == keys[chosen] if len(stored) else np.zeros(len(chosen), dtype=bool)
    same = known.copy()
    for name in _ODDS:
        values = quotes[name].to_numpy()
        if len(stored):
            same &= values[stored][places] == values[chosen]
    return set(quotes["match_id"].take(pa.array(chosen[~same])).to_pylist())
