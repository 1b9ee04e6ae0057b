"""Tables of the data contract as Parquet files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from matchcast.snapshots.contract import Columns, Kind

if TYPE_CHECKING:
    import pandas as pd

TYPES: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "repeated": pa.dictionary(pa.int32(), pa.string()),
    "number": pa.float64(),
    "count": pa.int64(),
    "small": pa.int16(),
    "time": pa.timestamp("ms", tz="UTC"),
    "day": pa.date32(),
}


def arrow_schema(columns: Columns, features: tuple[str, ...] = ()) -> pa.Schema:
    """Return the columns of a contract, in its order and types, then those of features as float32."""
    types = {**{name: TYPES[kind] for name, kind in columns.items()}, **dict.fromkeys(features, pa.float32())}
    return pa.schema(types)


def as_table(frame: pd.DataFrame, columns: Columns, features: tuple[str, ...] = ()) -> pa.Table:
    """Return a frame as a table of `arrow_schema`."""
    schema = arrow_schema(columns, features)
    return pa.table([_column(frame[entry.name], entry.type) for entry in schema], schema=schema)


def _column(series: pd.Series[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(series.astype(object).to_list(), kind.value_type).dictionary_encode().cast(kind)
    if pa.types.is_timestamp(kind):
        # Without the zone: Arrow takes it for UTC, which it is.
        return pa.array(series.dt.tz_convert(None).to_numpy()).cast(kind)
    # NaN stands for an empty cell.
    return pa.array(series.to_numpy(), kind, from_pandas=True)


def as_parquet(table: pa.Table) -> bytes:
    """Return a table as the bytes of a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    body: bytes = sink.getvalue().to_pybytes()
    return body
