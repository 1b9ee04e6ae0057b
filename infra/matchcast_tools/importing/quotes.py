"""Odds of a match file: three columns to decimal odds, which of them cannot be right, and when each was taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from matchcast.domain.prediction import OUTCOMES
from matchcast.snapshots.dataset import MOMENT
from matchcast_tools.importing.books import Price, Triple
from matchcast_tools.importing.cells import parse_number

OVERROUND = (0.9, 1.5)
"""The sum of 1/odds that three odds of one bookmaker can have (best prices of many lie below 1)."""
QUOTES = pa.schema(
    [
        ("match_id", pa.dictionary(pa.int32(), pa.string())),
        ("bookmaker", pa.dictionary(pa.int32(), pa.string())),
        ("closing", pa.bool_()),
        *((name, pa.float64()) for name in OUTCOMES),
    ]
)
"""Odds on their way into the dataset; the time they were taken at follows from the match.

There are ten times as many as matches, so that ids and names are dictionaries here: each is in memory once.
"""

_LEAST = 1.0
_AT_ONCE = 100_000
_TUESDAY, _FRIDAY = 1, 4
_NOON = 12

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quotes:
    """The accepted odds of one price: `places` are those of the rows or matches, `odds` is float64 [n, 3]."""

    price: Price
    places: npt.NDArray[np.int64]
    odds: Floats


def read_quotes(
    rows: Sequence[Sequence[str]], triple: Triple, overround: tuple[float, float] = OVERROUND
) -> tuple[Quotes, dict[str, npt.NDArray[np.int64]]]:
    """Return the odds in three columns, and the places of the rows with refused odds by reason.

    A row whose three cells are blank has no odds and is in neither.
    """
    numbers = np.empty((len(rows), 3))
    text = np.zeros(len(rows), dtype=bool)
    for outcome, column in enumerate(triple.columns):
        numbers[:, outcome], wrong = _column([row[column] for row in rows])
        text[wrong] = True
    blank = np.isnan(numbers)
    given = text | ~blank.all(axis=1)
    incomplete = given & ~text & blank.any(axis=1)
    whole = given & ~text & ~incomplete
    # Comparisons with NaN are false, as needed here.
    low = whole & ~((numbers > _LEAST) & np.isfinite(numbers)).all(axis=1)
    whole &= ~low
    total = np.where(whole, (1 / np.where(whole[:, None], numbers, 1.0)).sum(axis=1), 1.0)
    odd = whole & ((total < overround[0]) | (total > overround[1]))
    reasons = {
        "text where odds belong": text,
        "one or two of the three odds are missing": incomplete,
        "odds that are not above 1": low,
        f"an overround outside [{overround[0]}, {overround[1]}]": odd,
    }
    refused = {reason: np.flatnonzero(mask) for reason, mask in reasons.items() if mask.any()}
    accepted = np.flatnonzero(whole & ~odd)
    return Quotes(triple.price, accepted, numbers[accepted]), refused


def quotes_table(ids: Sequence[str], quotes: Sequence[Quotes]) -> pa.Table:
    """Return the odds of matches with these ids as a table with the columns of `QUOTES`."""
    if not quotes:
        return QUOTES.empty_table()
    books = sorted({quoted.price.bookmaker for quoted in quotes})
    counts = [len(quoted.places) for quoted in quotes]
    book = np.repeat([books.index(quoted.price.bookmaker) for quoted in quotes], counts)
    return pa.table(
        [
            coded(np.concatenate([quoted.places for quoted in quotes]), pa.array(ids, pa.string())),
            coded(book, pa.array(books, pa.string())),
            np.repeat([quoted.price.closing for quoted in quotes], counts),
            *np.concatenate([quoted.odds for quoted in quotes]).T,
        ],
        schema=QUOTES,
    )


def coded(places: npt.NDArray[Any], values: pa.Array) -> pa.DictionaryArray:
    """Return a column of `QUOTES` that has these of the values."""
    return pa.DictionaryArray.from_arrays(pa.array(places, pa.int32()), values)


def places_among(column: pa.ChunkedArray, values: pa.Array) -> npt.NDArray[np.int32]:
    """Return where the values of a dictionary column are among others, and -1 where they are not.

    Every chunk has a dictionary of its own; all of them are looked up at once.
    """
    chunks = column.chunks
    if not chunks:
        return np.empty(0, np.int32)
    own = pa.chunked_array([chunk.dictionary for chunk in chunks], pa.string())
    places = pc.fill_null(pc.index_in(own, values), -1).to_numpy()
    starts = np.cumsum([0, *(len(chunk.dictionary) for chunk in chunks)])
    found = [places[start + chunk.indices.to_numpy()] for start, chunk in zip(starts[:-1], chunks, strict=True)]
    return np.concatenate(found)


def taken_times(matches: pa.Table, quotes: pa.Table) -> pa.ChunkedArray:
    """Return the time of each odds row: when odds are collected before the match, or kick-off if they are closing."""
    parts = matches.select(["date", "kickoff"]).to_batches(max_chunksize=_AT_ONCE)
    before = pa.chunked_array(
        [
            pa.array(map(taken_before, *(part[name].to_pylist() for name in ("date", "kickoff"))), MOMENT)
            for part in parts
        ],
        MOMENT,
    )
    match = pa.array(places_among(quotes["match_id"], matches["match_id"].combine_chunks()))
    taken = []
    for start in range(0, len(quotes), _AT_ONCE):
        own = match.slice(start, _AT_ONCE)
        closing = quotes["closing"].slice(start, _AT_ONCE)
        taken += pc.if_else(closing, matches["kickoff"].take(own), before.take(own)).chunks
    return pa.chunked_array(taken, MOMENT)


def closing_flags(matches: pa.Table, odds: pa.Table) -> pa.Array:
    """Return, for each stored odds row, whether it was taken at kick-off."""
    match = pa.array(places_among(odds["match_id"], matches["match_id"].combine_chunks()))
    return pc.equal(odds["taken_at"], matches["kickoff"].take(match))


@lru_cache(maxsize=50_000)
def taken_before(day: date, kickoff: datetime) -> datetime:
    """Return when the odds before a match were collected: Friday noon for weekends, Tuesday noon for midweek.

    Noon is UTC. It is the last such moment at or before the match's date, and always before kick-off: a match
    on a Friday morning, or on a Friday whose time is not known, takes the Tuesday before.
    """
    weekday = day.weekday()
    back = (weekday - _FRIDAY) % 7 if weekday >= _FRIDAY or weekday < _TUESDAY else weekday - _TUESDAY
    taken = datetime(day.year, day.month, day.day, _NOON, tzinfo=UTC) - timedelta(days=back)
    while taken >= kickoff:
        taken -= timedelta(days=3 if taken.weekday() == _FRIDAY else 4)
    return taken


def _column(cells: Sequence[str]) -> tuple[Any, list[int]]:
    """Return the numbers of a column, NaN where blank, and the places of cells that hold text."""
    if "_" not in "".join(cells):
        try:
            # The usual case, and by far the quickest: float() takes spaces and plain numbers.
            return [float(cell or "nan") for cell in cells], []
        except ValueError:
            pass
    numbers = [parse_number(cell) for cell in cells]
    wrong = [place for place, number in enumerate(numbers) if number is None]
    return [np.nan if number is None else number for number in numbers], wrong
