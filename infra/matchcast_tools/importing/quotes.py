"""Odds of a match file: three columns to decimal odds, which of them cannot be right, and when they were taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from matchcast_tools.importing.books import Price, Triple
from matchcast_tools.importing.cells import parse_number

OVERROUND = (0.9, 1.5)
"""The sum of 1/odds that three odds of one bookmaker can have (best prices of many lie below 1)."""
_LEAST = 1.0
_TUESDAY, _FRIDAY = 1, 4
_NOON = 12

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quotes:
    """The accepted odds of one price: `rows` are places in the given rows, `odds` is float64 [n, 3]."""

    price: Price
    rows: npt.NDArray[np.int64]
    odds: Floats


@dataclass(frozen=True, slots=True)
class Refusal:
    """Odds that were there and cannot be used: the places of their rows."""

    reason: str
    rows: npt.NDArray[np.int64]


def read_quotes(
    rows: Sequence[Sequence[str]], triple: Triple, overround: tuple[float, float] = OVERROUND
) -> tuple[Quotes, list[Refusal]]:
    """Return the odds in three columns, and what was refused with the reason.

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
    # Comparisons with NaN are false, and that is what they should be here.
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
    refusals = [Refusal(reason, np.flatnonzero(mask)) for reason, mask in reasons.items() if mask.any()]
    accepted = np.flatnonzero(whole & ~odd)
    return Quotes(triple.price, accepted, numbers[accepted]), refusals


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
