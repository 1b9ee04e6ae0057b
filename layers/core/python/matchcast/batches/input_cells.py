"""Rows of an input file as its format has them, before anything is judged, and as they are afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from matchcast.domain.batch import RowError as RowError  # noqa: PLC0414 - the modules of the formats take it from here

if TYPE_CHECKING:
    from matchcast.ports import Rows

INVALID = "invalid-row"
NOT_FOUND = "match-not-found"

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some neighbouring rows of an input.

    `first` is the number of the first row. `values` (float32, one column per input of the signature) are the features,
    NaN in every row that has an error. `errors` has the wrong rows by their number in the file.
    """

    first: int
    custom_ids: Sequence[str | None]
    match_ids: Sequence[str | None]
    values: Rows
    errors: Mapping[int, RowError]

    def __len__(self) -> int:
        return len(self.custom_ids)


@dataclass(frozen=True, slots=True)
class FeatureCells:
    """The cells of one feature: fast where they are plain numbers, and one by one where they are not.

    `values` is NaN where a cell is empty or no number (a boolean, in a column of booleans, is 0 or 1); it is rounded to
    float64. `given` says where a cell is not empty. `cell` returns what a row holds, as JSON would have it.
    """

    values: Numbers
    given: Flags
    cell: Callable[[int], object]


@dataclass(frozen=True, slots=True)
class RawRows:
    """Some neighbouring rows as the file has them; rows with an error have empty cells alone.

    `features` has the features that the file has, by name; `errors` is keyed by the position in here.
    """

    count: int
    custom_ids: Sequence[object]
    match_ids: Sequence[object]
    features: Mapping[str, FeatureCells]
    errors: Mapping[int, RowError] = field(default_factory=dict)
