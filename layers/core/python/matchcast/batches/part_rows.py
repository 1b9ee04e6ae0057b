"""How many rows a part has: as many as the model predicts in a few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from matchcast.batches.input_rows import Chunk
from matchcast.ports import Model

if TYPE_CHECKING:
    from matchcast.ports import Rows

SIZES = (10_000, 5_000, 2_000, 1_000, 500, 200, 100)
SECONDS_A_PART = 5.0
"""A part fits several times into what is left of a worker's time after its tasks."""
SAMPLE_ROWS = 100
_AFTER_A_FAILURE = 1_000
"""Rows of a part where the model fails on the sample: the rows that it fails on are found by halving."""


def part_rows(model: Model, chunks: Iterable[Chunk], clock: Callable[[], float] = time.perf_counter) -> int:
    """Return how many rows a part has, by the time that a model takes for the first good rows of an input."""
    chunk = next(iter(chunks), None)
    if chunk is None:
        return SIZES[0]
    good = [at for at in range(len(chunk)) if chunk.first + at not in chunk.errors]
    if not good:
        return SIZES[0]
    try:
        seconds = _seconds_a_row(model, chunk.values[good], clock)
    except Exception:  # noqa: BLE001 - of a model that fails, the rows say what is wrong
        return _AFTER_A_FAILURE
    return next((size for size in SIZES if size * seconds <= SECONDS_A_PART), SIZES[-1])


def _seconds_a_row(model: Model, rows: Rows, clock: Callable[[], float]) -> float:
    """Time a model on more and more rows, until the time is long enough to tell; the first call warms it up."""
    model.predict(rows[:1])
    seconds = 0.0
    for size in (1, 10, SAMPLE_ROWS):
        started = clock()
        model.predict(np.resize(rows, (size, rows.shape[1])))
        seconds = (clock() - started) / size
        if seconds * size > 1.0:
            break
    return seconds
