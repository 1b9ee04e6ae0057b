"""Reading a snapshot's Parquet files: what a column has to be, and its values as JSON."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from matchcast.adapters.json_columns import CodedColumn, Indices, NumberColumn
from matchcast.errors import ManifestInvalid
from matchcast.snapshots.contract import Columns, Kind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNREADABLE = (pa.ArrowException, OSError, ValueError, TypeError, OverflowError)
_TEXT = (pa.types.is_string, pa.types.is_large_string)
_NUMBER = (pa.types.is_float64, pa.types.is_float32, pa.types.is_integer)
_KINDS: dict[Kind, tuple[Callable[[pa.DataType], bool], ...]] = {
    "text": _TEXT,
    "repeated": _TEXT,
    "number": _NUMBER,
    "count": _NUMBER,
    "small": _NUMBER,
    "time": (pa.types.is_timestamp,),
    "day": (pa.types.is_date32,),
}


class ParquetTable:
    """One file of a snapshot, with the columns that its readers rely on.

    Parameters
    ----------
    name, body
        The file's name, for the messages, and its bytes.
    needed
        Column name to kind, as `matchcast.snapshots.contract` has them.
    nullable
        Those that may have empty cells.

    Raises
    ------
    ManifestInvalid
        If it is no Parquet file, or a column is missing, of another kind, or has gaps.
    """

    def __init__(self, name: str, body: bytes, needed: Columns, *, nullable: Collection[str] = ()) -> None:
        self._name = name
        try:
            self._table = pq.ParquetFile(pa.BufferReader(body)).read()
        except _UNREADABLE as error:
            raise ManifestInvalid(f"{name} is no Parquet file that can be read ({error}).") from error
        for column, kind in needed.items():
            if column not in self._table.column_names:
                raise ManifestInvalid(f"{name} has no column '{column}'.")
            found = _plain_type(self._table.column(column))
            if not any(check(found) for check in _KINDS[kind]):
                raise ManifestInvalid(f"The column '{column}' of {name} is a {found}, not a {kind}.")
            if column not in nullable and self._table.column(column).null_count:
                raise ManifestInvalid(f"The column '{column}' of {name} has empty cells.")

    @property
    def names(self) -> list[str]:
        """Return the names of all columns."""
        return list(self._table.column_names)

    def take(self, rows: Indices) -> None:
        """Keep some rows, in their order."""
        self._table = pc.take(self._table, pa.array(rows))

    def texts(self, name: str) -> list[str]:
        """Return a column of texts."""
        with self._reading(name) as column:
            return list(_plain(column).to_pylist())

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """Return a column of numbers; empty cells are NaN."""
        return np.asarray(self._table.column(name).to_numpy(), dtype=np.float64)

    def milliseconds(self, name: str) -> npt.NDArray[np.int64]:
        """Return a column of times as milliseconds since 1970, UTC."""
        return np.asarray(_milliseconds(self._table.column(name)).to_numpy())

    def column(self, name: str) -> CodedColumn | NumberColumn:
        """Return a column as JSON; times as RFC 3339 in UTC, days as ISO 8601, empty cells as null."""
        with self._reading(name) as column:
            if pa.types.is_floating(column.type) or (pa.types.is_integer(column.type) and not column.null_count):
                return NumberColumn(np.asarray(column.to_numpy()))
            if pa.types.is_timestamp(column.type):
                # By hand: pyarrow asks the machine's time zone database, which a function may lack.
                moments, codes = _coded(_milliseconds(column))
                times = [None if ms is None else _EPOCH + timedelta(milliseconds=ms) for ms in moments]
                return CodedColumn(times, codes)
            return CodedColumn(*_coded(_plain(column)))

    def coded(self, name: str) -> CodedColumn:
        """Return a column of texts as codes."""
        with self._reading(name) as column:
            return CodedColumn(*_coded(_plain(column)))

    def is_number(self, name: str) -> bool:
        """Tell whether a column holds numbers."""
        return any(check(self._table.column(name).type) for check in _KINDS["number"])

    @contextmanager
    def _reading(self, name: str) -> Iterator[pa.ChunkedArray]:
        """Give a column; what cannot be read of it is a ManifestInvalid."""
        try:
            yield self._table.column(name)
        except _UNREADABLE as error:
            raise ManifestInvalid(f"The column '{name}' of {self._name} cannot be read ({error}).") from error


def _plain_type(column: pa.ChunkedArray) -> Any:
    return column.type.value_type if pa.types.is_dictionary(column.type) else column.type


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(_plain_type(column))


def _milliseconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64())


def _coded(column: pa.ChunkedArray) -> tuple[list[Any], npt.NDArray[np.int32]]:
    encoded = pa.concat_arrays([*column.chunks, pa.array([], column.type)]).dictionary_encode(null_encoding="encode")
    return encoded.dictionary.to_pylist(), np.asarray(encoded.indices.to_numpy(), dtype=np.int32)
