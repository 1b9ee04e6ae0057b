"""The predictions of many rows by as few calls of a model as can be; rows that make it fail are found by bisection."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from matchcast.domain.batch import RowError
from matchcast.domain.prediction import OUTCOMES
from matchcast.errors import ModelFailed, ModelTooSlow
from matchcast.ports import Model
from matchcast.predictions.probabilities import ask, renormalise_rows

if TYPE_CHECKING:
    import numpy.typing as npt

    from matchcast.ports import Rows

MOST_CALLS = 256
"""Calls of one part: a row that the model fails for costs two for each halving, so that is enough for about ten of them
among 10,000 rows, and where more of them lie together for as many."""
FAILED = RowError(
    ModelFailed.code,
    "",
    "The model fails for this row. Send values like those that it was trained on, or leave it out.",
)
INVALID = RowError(
    ModelFailed.code,
    "",
    "The model gives no probabilities for this row. Send values like those that it was trained on, or leave it out.",
)
UNTRIED = RowError(
    ModelFailed.code,
    "",
    "The model fails for so many rows near this one that it was not tried alone. Leave those out, then send it again.",
)


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a model answered to rows.

    `probabilities` are float64, shape (rows, 3), with no meaning where there is an error; `errors` has for each error
    which rows have it, bool of shape (rows,). No row has two.
    """

    probabilities: npt.NDArray[np.float64]
    errors: list[tuple[RowError, npt.NDArray[np.bool_]]]

    @property
    def good(self) -> npt.NDArray[np.bool_]:
        """Return which rows have probabilities."""
        good = np.ones(len(self.probabilities), dtype=np.bool_)
        for _, rows in self.errors:
            good &= ~rows
        return good


def predict_rows(model: Model, rows: Rows, has_time: Callable[[], bool] = lambda: True) -> Predicted:
    """Predict float32 rows, shape (rows, columns), by one call; one that fails is made again for each half.

    The largest halves come first, so that most rows have their predictions when the number of calls is used up. Which
    rows fail depends on the rows alone, and never on the time.

    Raises
    ------
    ModelTooSlow
        If there was no time to find the rows for which the model fails.
    Transient
        What the model raises otherwise.
    """
    count = len(rows)
    probabilities = np.zeros((count, len(OUTCOMES)))
    masks = {error: np.zeros(count, dtype=np.bool_) for error in (FAILED, INVALID, UNTRIED)}
    todo = deque([slice(0, count)] if count else [])
    calls = 0
    while todo:
        some = todo.popleft()
        if calls == MOST_CALLS:
            masks[UNTRIED][some] = True
            continue
        if calls and not has_time():
            raise ModelTooSlow(f"There was no time to find the rows for which the model fails, of {count}.")
        calls += 1
        try:
            probabilities[some], valid = renormalise_rows(ask(model, rows[some]))
            masks[INVALID][some] = ~valid
        except ModelFailed:
            if some.stop - some.start == 1:
                masks[FAILED][some] = True
                continue
            middle = (some.start + some.stop) // 2
            todo += [slice(some.start, middle), slice(middle, some.stop)]
    return Predicted(probabilities, [(error, mask) for error, mask in masks.items() if mask.any()])
