"""A file of many rows for the champion, of which some are wrong in every way that a row can be."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

UNKNOWN_MATCH = "zz1-2026-03-07-nobody-nowhere"
_CHUNK = 10_000
_SEED = 7


def _text_for_a_number(cells: list[str]) -> list[str]:
    return [*cells[:2], "many", *cells[3:]]


def _missing(cells: list[str]) -> list[str]:
    return [*cells[:2], "", *cells[3:]]


def _not_a_number(cells: list[str]) -> list[str]:
    return [*cells[:2], "nan", *cells[3:]]


def _infinite(cells: list[str]) -> list[str]:
    return [*cells[:-1], "1e999"]


def _too_few(cells: list[str]) -> list[str]:
    return cells[:-1]


def _too_many(cells: list[str]) -> list[str]:
    return [*cells, "1"]


def _long_id(cells: list[str]) -> list[str]:
    return [cells[0] * 100, *cells[1:]]


def _unknown_match(cells: list[str]) -> list[str]:
    return [cells[0], UNKNOWN_MATCH, *[""] * (len(cells) - 2)]


KINDS: tuple[Callable[[list[str]], list[str]], ...] = (
    _text_for_a_number, _missing, _not_a_number, _infinite, _too_few, _too_many, _long_id, _unknown_match,
)  # fmt: skip


@dataclass(frozen=True)
class BatchInput:
    """A CSV file with the columns `custom_id`, `match_id` and the features.

    `values` are its features as they are written, shape (rows, features), also of rows that were then made wrong;
    `is_bad` tells which these are.
    """

    path: Path
    names: tuple[str, ...]
    values: npt.NDArray[np.float64]
    is_bad: npt.NDArray[np.bool_]

    @property
    def rows(self) -> int:
        return len(self.values)

    @cached_property
    def good(self) -> npt.NDArray[np.intp]:
        """Numbers of the rows that have to be predicted."""
        return np.flatnonzero(~self.is_bad)

    @cached_property
    def bad(self) -> npt.NDArray[np.intp]:
        """Numbers of the rows that have to be refused."""
        return np.flatnonzero(self.is_bad)

    def features(self, row: int) -> dict[str, float]:
        """Return the features of a row, as a single request takes them."""
        return dict(zip(self.names, self.values[row].tolist(), strict=True))


def custom_id(row: int) -> str:
    """Return the id of a row, which tells its number in another way than its place."""
    return f"id-{row * 7919 % 10_000_019}-{row}"


def write_input(path: Path, examples: Sequence[dict[str, Any]], rows: int) -> BatchInput:
    """Write so many rows near the features of some matches; one in a hundred is made wrong."""
    random = np.random.default_rng(_SEED)
    names = tuple(examples[0])
    known = np.array([[example[name] or 0.0 for name in names] for example in examples])
    spread = np.maximum(known.std(axis=0), 0.1) / 2
    values = np.empty((rows, len(names)))
    is_bad = np.zeros(rows, dtype=np.bool_)
    is_bad[random.choice(rows, rows // 100, replace=False)] = True
    with path.open("wb") as file:
        file.write(",".join(("custom_id", "match_id", *names)).encode() + b"\n")
        for first in range(0, rows, _CHUNK):
            some = slice(first, min(first + _CHUNK, rows))
            count = some.stop - some.start
            noise = random.normal(size=(count, len(names))) * spread
            values[some] = np.round(known[random.integers(0, len(known), count)] + noise, 3)
            lines = _lines(first, values[some])
            for at in np.flatnonzero(is_bad[some]):
                wrong = KINDS[(first + int(at)) % len(KINDS)]
                lines[at] = ",".join(wrong(lines[at].split(",")))
            file.write("\n".join([*lines, ""]).encode())
    return BatchInput(path, names, values, is_bad)


def _lines(first: int, values: npt.NDArray[np.float64]) -> list[str]:
    """Return rows as lines of CSV; every number as its shortest text, which is read back as the same number."""
    import pyarrow as pa
    from pyarrow import csv

    ids = pa.array([custom_id(first + at) for at in range(len(values))])
    columns = [ids, pa.repeat(pa.scalar(""), len(values)), *(pa.array(column) for column in values.T)]
    sink = io.BytesIO()
    options = csv.WriteOptions(include_header=False, quoting_style="none")
    csv.write_csv(pa.table(columns, [str(at) for at in range(len(columns))]), sink, options)
    return sink.getvalue().decode().splitlines()
