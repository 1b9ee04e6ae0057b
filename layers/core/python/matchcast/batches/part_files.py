"""The files of parts: their inputs, which only workers read, and their predictions and errors, which are joined.

The same rows give the same bytes, so that a part may be written again at any time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from matchcast.domain.batch import FileFormat, RowError
from matchcast.domain.prediction import OUTCOMES

if TYPE_CHECKING:
    import numpy.typing as npt

    from matchcast.batches.input_cells import Chunk
    from matchcast.ports import Rows

_FEATURE = "f:"
"""Before the name of each feature, which may be the name of another column."""
_WHO = [pa.field("row", pa.int64(), nullable=False), ("custom_id", pa.string()), ("match_id", pa.string())]
_WHY = [("code", pa.string()), ("pointer", pa.string()), ("detail", pa.string())]
OUTPUT = pa.schema([*_WHO, *(pa.field(name, pa.float64(), nullable=False) for name in OUTCOMES)])
"""The columns of predictions."""
ERRORS = pa.schema([*_WHO, *_WHY])
"""The columns of errors."""
_REPEATED = ["code", "pointer", "detail"]


@dataclass(frozen=True, slots=True)
class PartRows:
    """The rows of a part, in order.

    `known` has the columns of `ERRORS`; a row that is wrong in the input has a code, and NaN for `values`,
    which are float32, shape (rows, signature inputs).
    """

    known: pa.Table
    values: Rows

    def __len__(self) -> int:
        return int(self.known.num_rows)

    @property
    def good(self) -> npt.NDArray[np.intp]:
        """Return the places of the rows that can be predicted."""
        return np.flatnonzero(self.known.column("code").is_null().to_numpy())

    @property
    def invalid(self) -> pa.Table:
        """Return the errors of the rows that are wrong in the input."""
        return self.known.filter(self.known.column("code").is_valid())

    def predictions(self, places: npt.NDArray[np.intp], probabilities: npt.NDArray[np.float64]) -> pa.Table:
        """Return the predictions of the rows at some places, shape (places, 3), as a table of `OUTPUT`."""
        who = self.known.select(["row", "custom_id", "match_id"]).take(pa.array(places))
        return pa.table([*who.columns, *(pa.array(column, pa.float64()) for column in probabilities.T)], schema=OUTPUT)

    def failures(self, places: npt.NDArray[np.intp], error: RowError) -> pa.Table:
        """Return one error for the rows at some places, as a table of `ERRORS`."""
        who = self.known.select(["row", "custom_id", "match_id"]).take(pa.array(places))
        texts = (error.code, error.pointer, error.detail)
        why = [pa.repeat(pa.scalar(text, pa.string()), len(places)) for text in texts]
        return pa.table([*who.columns, *why], schema=ERRORS)

    def without(self, done: pa.Table) -> npt.NDArray[np.intp]:
        """Return the places of the rows that can be predicted and are not in a table of `OUTPUT` yet."""
        places = self.good
        numbers = self.known.column("row").to_numpy()[places]
        return np.asarray(places[~np.isin(numbers, done.column("row").to_numpy())])


# Not `empty_table()`: it looks for pandas, which takes every environment a second to import.
NO_OUTPUT = pa.Table.from_batches([], OUTPUT)
NO_ERRORS = pa.Table.from_batches([], ERRORS)


def in_row_order(*tables: pa.Table) -> pa.Table:
    """Return the rows of tables with the same columns, by their numbers."""
    return pa.concat_tables(tables).sort_by("row").combine_chunks()


def write_part_input(names: Sequence[str], chunk: Chunk) -> bytes:
    """Return the file of some neighbouring rows; `names` are the inputs of the signature."""
    numbers = range(chunk.first, chunk.first + len(chunk))
    found = [chunk.errors.get(number) for number in numbers]
    columns = {
        "row": pa.array(numbers, pa.int64()),
        "custom_id": pa.array(chunk.custom_ids, pa.string()),
        "match_id": pa.array(chunk.match_ids, pa.string()),
        **{_FEATURE + name: pa.array(chunk.values[:, at], pa.float32()) for at, name in enumerate(names)},
        "code": pa.array([error and error.code for error in found], pa.string()),
        "pointer": pa.array([error and error.pointer for error in found], pa.string()),
        "detail": pa.array([error and error.detail for error in found], pa.string()),
    }
    return _parquet(pa.table(columns))


def read_part_input(body: bytes) -> PartRows:
    """Return the rows of a file of `write_part_input`."""
    table = _table(body)
    features = [name for name in table.column_names if name.startswith(_FEATURE)]
    values = np.empty((table.num_rows, len(features)), dtype=np.float32)
    for at, name in enumerate(features):
        values[:, at] = table.column(name).to_numpy()
    return PartRows(table.select(ERRORS.names).cast(ERRORS), values)


def encode_table(table: pa.Table, file_format: FileFormat) -> bytes:
    """Return predictions or errors as a file."""
    return _parquet(table) if file_format is FileFormat.PARQUET else _lines(table)


def decode_output(body: bytes, file_format: FileFormat) -> pa.Table:
    """Return the predictions of a file."""
    return decode_table(body, file_format, OUTPUT)


def decode_errors(body: bytes, file_format: FileFormat) -> pa.Table:
    """Return the errors of a file."""
    return decode_table(body, file_format, ERRORS)


def count_rows(body: bytes, file_format: FileFormat) -> int:
    """Return how many rows a file of predictions or errors has."""
    if file_format is FileFormat.PARQUET:
        return int(pq.ParquetFile(pa.BufferReader(body)).metadata.num_rows)
    return body.count(b"\n")


def parquet_writer(where: Any, schema: pa.Schema) -> pq.ParquetWriter:
    """Return a writer whose options are the same for every file."""
    # Numbers hardly repeat: a dictionary of them would only be given up again.
    same = {"compression": "zstd", "compression_level": 3, "version": "2.6", "store_schema": False}
    return pq.ParquetWriter(where, schema, use_dictionary=_REPEATED, **same)


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with parquet_writer(sink, table.schema) as writer:
        writer.write_table(table)
    body: bytes = sink.getvalue().to_pybytes()
    return body


def _table(body: bytes) -> pa.Table:
    return pq.ParquetFile(pa.BufferReader(body)).read()


def _lines(table: pa.Table) -> bytes:
    names = table.column_names
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
    return "".join(encode(dict(zip(names, row, strict=True))) + "\n" for row in rows).encode()


def decode_table(body: bytes, file_format: FileFormat, schema: pa.Schema) -> pa.Table:
    """Return the rows of a file with the columns of a schema."""
    if file_format is FileFormat.PARQUET:
        return _table(body).cast(schema)
    return pa.Table.from_pylist([json.loads(line) for line in body.split(b"\n") if line], schema=schema)
