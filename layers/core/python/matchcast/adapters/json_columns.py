"""Columns of values as JSON texts, and rows of them in one buffer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson

Indices = npt.NDArray[np.int64]


class CodedColumn:
    """A column in which values repeat: each that differs is encoded once.

    `codes` says row by row which of `values` it holds.
    """

    def __init__(
        self, values: Sequence[Any], codes: npt.NDArray[np.int32], encoded: Sequence[bytes] | None = None
    ) -> None:
        self.values = values
        self.codes = codes
        self._encoded = [_encode(value) for value in values] if encoded is None else encoded

    def texts(self) -> list[bytes]:
        """Return the JSON text of every row."""
        encoded = self._encoded
        return [encoded[code] for code in self.codes.tolist()]

    def text(self, row: int) -> bytes:
        """Return the JSON text of one row."""
        return self._encoded[int(self.codes[row])]

    def take(self, rows: Indices) -> Self:
        """Return the column of some rows, in their order."""
        return type(self)(self.values, self.codes[rows], self._encoded)


class NumberColumn:
    """A column of numbers; NaN is written as null, and float32 with as many digits as it has."""

    def __init__(self, values: npt.NDArray[Any]) -> None:
        self.values = np.ascontiguousarray(values)

    def texts(self) -> list[bytes]:
        """Return the JSON text of every row."""
        # One call encodes all of them, many times faster than one by one.
        joined = orjson.dumps(self.values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
        return joined.split(b",") if joined else []

    def text(self, row: int) -> bytes:
        """Return the JSON text of one row."""
        encoded: bytes = orjson.dumps(self.values[row], option=orjson.OPT_SERIALIZE_NUMPY)
        return encoded

    def take(self, rows: Indices) -> Self:
        """Return the column of some rows, in their order."""
        return type(self)(self.values[rows])


class ObjectColumn:
    """Columns as one JSON object a row."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = columns
        self._template = row_template(columns)

    def texts(self) -> list[bytes]:
        """Return the JSON text of every row."""
        columns = [column.texts() for column in self._columns.values()]
        return [self._template % values for values in zip(*columns, strict=True)]

    def text(self, row: int) -> bytes:
        """Return the JSON text of one row."""
        return self._template % tuple([column.text(row) for column in self._columns.values()])

    def take(self, rows: Indices) -> Self:
        """Return the column of some rows, in their order."""
        return type(self)({name: column.take(rows) for name, column in self._columns.items()})


Column: TypeAlias = CodedColumn | NumberColumn | ObjectColumn
"""A column whose values can be written as JSON: `texts` of all rows, `text` of one, `take` some rows."""


class JsonRows:
    """Rows as JSON objects in one buffer, comma by comma, so that neighbours are one slice."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        texts = ObjectColumn(columns).texts()
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        self._ends = np.cumsum(lengths + 1) - 1
        self._starts = self._ends - lengths
        self._buffer = b",".join(texts)

    def __len__(self) -> int:
        return len(self._starts)

    def span(self, start: int, stop: int) -> bytes:
        """Return neighbouring rows, separated by commas."""
        return self._buffer[self._starts[start] : self._ends[stop - 1]] if start < stop else b""

    def pick(self, rows: Indices) -> bytes:
        """Return some rows, separated by commas."""
        buffer = self._buffer
        bounds = zip(self._starts[rows].tolist(), self._ends[rows].tolist(), strict=True)
        return b",".join([buffer[start:end] for start, end in bounds])


def row_template(names: Iterable[str]) -> bytes:
    """Return a JSON object with a `%b` in place of each value."""
    keys = (orjson.dumps(name).replace(b"%", b"%%") for name in names)
    return b"{" + b",".join(key + b":%b" for key in keys) + b"}"


def _encode(value: Any) -> bytes:
    # orjson's bytes keep the kilobytes that they were written in; a copy has its own length.
    return bytes(memoryview(orjson.dumps(value, option=orjson.OPT_UTC_Z)))
