"""The files of a batch of matches: its input, with the features of each match, and the probabilities of its output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from matchcast.batches.input_columns import CUSTOM_ID
from matchcast.batches.part_files import parquet_writer
from matchcast.domain.prediction import OUTCOMES
from matchcast.domain.signature import Column, Signature
from matchcast.errors import ReleaseRefused

if TYPE_CHECKING:
    from matchcast.ports import Rows
    from matchcast.snapshots.scoring import Floats

ROWS_AT_ONCE = 65_536
_SUM_TOLERANCE = 1e-9


def write_matches(path: Path, signature: Signature, match_ids: Sequence[str], rows: Rows) -> None:
    """Write an input file; the same matches give the same bytes.

    Raises
    ------
    ReleaseRefused
        If a feature that is a boolean has another value than 0 or 1.
    """
    features = [(column.name, pa.float32() if column.range else pa.bool_()) for column in signature.inputs]
    schema = pa.schema([(CUSTOM_ID, pa.string()), *features])
    with path.open("wb") as file, parquet_writer(file, schema) as writer:
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = slice(start, start + ROWS_AT_ONCE)
            cells = [_cells(column, rows[some, at]) for at, column in enumerate(signature.inputs)]
            writer.write_table(pa.table([pa.array(match_ids[some], pa.string()), *cells], schema=schema))


def _cells(column: Column, values: Rows) -> pa.Array:
    if column.range:
        return pa.array(np.ascontiguousarray(values), pa.float32())
    if not np.isin(values, (0, 1)).all():
        raise ReleaseRefused(f"The feature {column.name} has to be true or false in every row. Make the features anew.")
    return pa.array(values != 0)


def read_probabilities(path: Path, match_ids: Sequence[str]) -> Floats:
    """Return the probabilities of an output file, shape (matches, 3), in the order of the ids.

    Raises
    ------
    ReleaseRefused
        If the file does not have each match once, in this order, with probabilities.
    """
    found = np.empty((len(match_ids), len(OUTCOMES)))
    start = 0
    with pq.ParquetFile(path, buffer_size=1024**2, pre_buffer=False) as file:
        for some in file.iter_batches(ROWS_AT_ONCE, columns=[CUSTOM_ID, *OUTCOMES]):
            end = start + some.num_rows
            if some.column(CUSTOM_ID).to_pylist() != list(match_ids[start:end]):
                raise _unfit("other matches, or in another order")
            found[start:end] = np.column_stack([some.column(name).to_numpy() for name in OUTCOMES])
            start = end
    if start != len(match_ids):
        raise _unfit(f"{start} matches of {len(match_ids)}")
    if not (found >= 0).all() or not (np.abs(found.sum(axis=1) - 1) <= _SUM_TOLERANCE).all():
        raise _unfit("values that are no probabilities")
    return found


def _unfit(what: str) -> ReleaseRefused:
    return ReleaseRefused(f"The output file of the batch of predictions has {what}; no snapshot is made.")
