"""Input rows as Parquet: numbers, booleans and texts, flat; read a page at a time."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from matchcast.batches.input_cells import FeatureCells, RawRows
from matchcast.batches.input_columns import BOOKKEEPING, CUSTOM_ID, MATCH_ID, check_columns
from matchcast.batches.input_judging import LONGEST_ID
from matchcast.batches.input_text import kind_of
from matchcast.batches.memory_limit import next_in_limits
from matchcast.domain.signature import Column, Signature
from matchcast.echo import cut, quoted
from matchcast.errors import InputRefused

_MAGIC = b"PAR1"
_MOST_FOOTER_BYTES = 32 * 1024**2
_MOST_ROW_GROUPS = 20_000
_MOST_TEXT_BYTES = 256 * 1024**2
_BATCH_ROWS = 10_000
_BUFFER_BYTES = 1024**2
# A text that is longer than any id is cut here: characters have up to four bytes.
_TEXT_BYTES = 4 * (LONGEST_ID + 1)
_UNREADABLE = (pa.ArrowException, OSError, ValueError, TypeError, MemoryError)


def read_parquet(
    path: Path, signature: Signature, chunk_rows: int, *, most_rows: int, most_bytes: int
) -> Iterator[RawRows]:
    """Yield the rows.

    Raises
    ------
    InputRefused
        If it is no Parquet file that can be read, is longer than it may be, or its columns are not the model's.
    """
    _demand_parquet(path)
    with _Reading(path) as reading:
        _demand_size(reading.metadata, most_rows, most_bytes)
        schema = reading.schema
        check_columns(schema.names, signature)
        columns = {column.name: column for column in signature.inputs if column.name in schema.names}
        _demand_types(schema, columns)
        for table in _regroup(reading.batches([CUSTOM_ID, MATCH_ID], [*columns]), chunk_rows):
            yield reading.rows(table, columns)


class _Reading:
    """An open file; what cannot be read of it is an InputRefused."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> _Reading:
        # Arrow's own pool takes a gigabyte ahead, which hides from a limit what a file needs.
        pa.set_memory_pool(pa.system_memory_pool())
        try:
            self._file = pa.OSFile(str(self._path))
            self.metadata = pq.read_metadata(self._file)
            self.schema: Any = self.metadata.schema.to_arrow_schema()
        except _UNREADABLE as error:
            raise _unreadable(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def batches(self, texts: list[str], numbers: list[str]) -> Iterator[Any]:
        """Yield record batches of the columns that are there; texts as bytes, cut where they are too long."""
        texts = [name for name in texts if name in self.schema.names]
        row = 0
        try:
            for group in range(self.metadata.num_row_groups):
                coded = self._long_texts(group, [name for name in texts if _is_text(self.schema.field(name).type)])
                batches = self._open(coded).iter_batches(
                    _BATCH_ROWS, row_groups=[group], columns=[*texts, *numbers], use_threads=False
                )
                while (batch := next_in_limits(batches)) is not None:
                    yield _cut_texts(batch, texts)
                    row += batch.num_rows
        except _UNREADABLE as error:
            raise _unreadable(error, row) from error

    def _open(self, coded: list[str]) -> Any:
        return pq.ParquetFile(
            self._file, metadata=self.metadata, read_dictionary=coded, buffer_size=_BUFFER_BYTES, pre_buffer=False
        )

    def _long_texts(self, group: int, texts: list[str]) -> list[str]:
        """Return the columns whose dictionary has a text too long to be an id.

        They are read as codes: one long text in many rows would not fit into memory. Others are not, because Arrow
        keeps every text of a column that it reads as codes.
        """
        if not texts:
            return []
        first = next_in_limits(self._open(texts).iter_batches(1, row_groups=[group], columns=texts, use_threads=False))
        if first is None:
            return []
        lengths = {name: pc.max(pc.binary_length(first.column(name).dictionary)).as_py() for name in texts}
        return [name for name, length in lengths.items() if (length or 0) > _TEXT_BYTES]

    def rows(self, table: Any, columns: dict[str, Column]) -> RawRows:
        """Return a table as rows."""
        try:
            texts = {name: _texts(table.column(name)) for name in (CUSTOM_ID, MATCH_ID) if name in table.column_names}
            nothing = [None] * table.num_rows
            features = {name: _cells(table.column(name), column) for name, column in columns.items()}
            return RawRows(table.num_rows, texts.get(CUSTOM_ID, nothing), texts.get(MATCH_ID, nothing), features)
        except _UNREADABLE as error:
            raise _unreadable(error) from error


def _unreadable(error: BaseException, row: int | None = None) -> InputRefused:
    where = "" if row is None else f" after row {row}"
    if isinstance(error, MemoryError):
        return InputRefused(f"The file takes too much memory{where}; write it with smaller pages and row groups.")
    reason = cut(" ".join(str(error).split()), 200)
    return InputRefused(f"The file is no Parquet file that can be read{where} ({reason}); write and upload it again.")


def _demand_parquet(path: Path) -> None:
    """Refuse what Arrow need not look at: other kinds of files, encrypted ones, and oversized footers."""
    with path.open("rb") as file:
        head = file.read(16)
        size = file.seek(0, 2)
        file.seek(max(size - 8, 0))
        footer_bytes, tail = struct.unpack("<I4s", file.read(8)) if size >= 12 else (0, b"")
    kind = kind_of(head) if head else "empty"
    if head.startswith(b"PARE") or tail == b"PARE":
        raise InputRefused("The file is an encrypted Parquet file; write it without encryption.")
    if not head.startswith(_MAGIC):
        is_what = f"is {kind}" if kind else "has another beginning"
        raise InputRefused(f"The file's name says Parquet, but it {is_what}; send Parquet, or name it for what it is.")
    if tail != _MAGIC:
        raise InputRefused("The file begins as Parquet, but its end is missing; upload it again.")
    if footer_bytes > _MOST_FOOTER_BYTES:
        raise InputRefused(f"The footer has {footer_bytes} bytes; write larger row groups and fewer columns.")


def _demand_size(metadata: Any, most_rows: int, most_bytes: int) -> None:
    if metadata.num_rows > most_rows:
        raise InputRefused(f"The file has {metadata.num_rows} rows; send at most {most_rows} in one file.")
    if metadata.num_row_groups > _MOST_ROW_GROUPS:
        raise InputRefused(f"The file has {metadata.num_row_groups} row groups; write larger ones.")
    total = 0
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            total += column.total_uncompressed_size
            if column.physical_type == "BYTE_ARRAY" and column.total_uncompressed_size > _MOST_TEXT_BYTES:
                raise InputRefused(f"A row group has more than {_MOST_TEXT_BYTES} bytes of text; write smaller ones.")
    if total > most_bytes:
        raise InputRefused(f"The file has {total} bytes when it is unpacked; send at most {most_bytes} in one file.")


def _demand_types(schema: Any, columns: dict[str, Column]) -> None:
    """Refuse columns of types that can hold no value for the model."""
    for entry in schema:
        kind = _plain(entry.type)
        if entry.name in BOOKKEEPING and entry.name not in columns:
            continue
        if entry.name in (CUSTOM_ID, MATCH_ID):
            fits = _is_text(kind) or (pa.types.is_integer(kind) and entry.name == CUSTOM_ID)
            wanted = "text"
        elif columns[entry.name].range is None:
            fits, wanted = pa.types.is_boolean(kind), "booleans"
        else:
            fits = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
            wanted = "numbers"
        if not fits and not pa.types.is_null(kind):
            kind_name = cut(str(entry.type))
            raise InputRefused(f"The column {quoted(entry.name)} is of type {kind_name}; write {wanted} there.")


def _regroup(batches: Iterator[Any], rows: int) -> Iterator[Any]:
    """Yield tables of so many rows, the last one of what is left."""
    waiting: list[Any] = []
    count = 0
    for batch in batches:
        at = 0
        while batch.num_rows - at >= rows - count:
            yield pa.Table.from_batches([*waiting, batch.slice(at, rows - count)])
            at += rows - count
            waiting, count = [], 0
        if at < batch.num_rows:
            waiting.append(batch.slice(at))
            count += batch.num_rows - at
    if count:
        yield pa.Table.from_batches(waiting)


def _texts(column: Any) -> list[object]:
    """Return a column of texts (or whole numbers), of each no more than shows that it is too long."""
    return [each for chunk in column.chunks for each in _chunk_texts(chunk)]


def _chunk_texts(chunk: Any) -> list[object]:
    if not pa.types.is_large_binary(chunk.type):
        whole: list[object] = chunk.to_pylist()
        return whole
    # Arrow does not look whether texts are UTF-8.
    return [None if each is None else each.decode("utf-8", errors="surrogateescape") for each in chunk.to_pylist()]


def _cut_texts(batch: Any, names: list[str]) -> Any:
    """Return a batch whose texts are bytes, of each no more than shows that it is too long."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name in names:
        column = columns[name]
        if not _is_text(_plain(column.type)):
            continue
        coded = pa.types.is_dictionary(column.type)
        cut_texts = pc.binary_slice((column.dictionary if coded else column).cast(pa.large_binary()), 0, _TEXT_BYTES)
        columns[name] = pc.take(cut_texts, column.indices) if coded else cut_texts
    return pa.RecordBatch.from_pydict(columns)


def _cells(column: Any, feature: Column) -> FeatureCells:
    plain = _plain(column.type)
    array = column.cast(plain).combine_chunks()
    # Booleans have no cast to float64.
    numbers = array.cast(pa.uint8()) if feature.range is None else array
    values = np.asarray(numbers.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
    given = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)

    def cell(row: int) -> object:
        value = array[row].as_py()
        if isinstance(value, Decimal):
            return int(value) if value == value.to_integral_value() else float(value)
        return float(value) if isinstance(value, np.floating) else value

    return FeatureCells(values, given, cell)


def _plain(kind: Any) -> Any:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
