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
        ("match_id", pa.string()),
        ("bookmaker", pa.string()),
        ("closing", pa.bool_()),
        *((name, pa.float64()) for name in OUTCOMES),
    ]
)
"""Odds on their way into the dataset; the time they were taken at follows from the match."""

_LEAST = 1.0
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
    names = np.array(ids, dtype=object)
    parts = [
        pa.table(
            [
                pa.array(names[quoted.places], pa.string()),
                pa.repeat(quoted.price.bookmaker, len(quoted.places)),
                pa.repeat(quoted.price.closing, len(quoted.places)),
                *quoted.odds.T,
            ],
            schema=QUOTES,
        )
        for quoted in quotes
    ]
    return pa.concat_tables([QUOTES.empty_table(), *parts])


def taken_times(matches: pa.Table, quotes: pa.Table) -> pa.Array:
    """Return the time of each odds row: when odds are collected before the match, or kick-off if they are closing."""
    days, kickoffs = matches["date"].to_pylist(), matches["kickoff"].to_pylist()
    before = pa.array(map(taken_before, days, kickoffs), MOMENT)
    match = pc.index_in(quotes["match_id"], matches["match_id"].combine_chunks())
    return pc.if_else(quotes["closing"], matches["kickoff"].take(match), before.take(match))


def closing_flags(matches: pa.Table, odds: pa.Table) -> pa.Array:
    """Return, for each stored odds row, whether it was taken at kick-off."""
    match = pc.index_in(odds["match_id"], matches["match_id"].combine_chunks())
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
