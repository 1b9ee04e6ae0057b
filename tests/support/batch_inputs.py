"""Input files of batches, as clients make them, and their reading."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from matchcast.batches.input_rows import Chunk, InputReader
from matchcast.domain.batch import FileFormat, InputFile
from matchcast.domain.signature import Column, Signature
from matchcast.snapshots.features import FeatureTable

SIGNATURE = Signature(
    inputs=(
        Column(name="elo", type="float"),
        Column(name="rest/days", type="long"),
        Column(name="derby", type="boolean"),
        Column(name="form", type="double", required=False),
    )
)
GOOD: dict[str, Any] = {"elo": 1500.5, "rest/days": 3, "derby": True, "form": 0.25}
KNOWN_MATCH = "e0-2024-08-16-man-united-fulham"
OTHER_MATCH = "e0-2024-08-17-arsenal-wolves"
TABLE = FeatureTable(
    index={KNOWN_MATCH: 0, OTHER_MATCH: 1},
    columns=("form", "derby", "weather", "elo", "rest/days"),
    values=np.array([[0.5, 1, 9, 1600, 4], [0.75, 0, 9, 1700, 5]], dtype=np.float32),
    as_of=[0, 0],
)
ARROW = {
    "float": pa.float64(),
    "double": pa.float64(),
    "integer": pa.int64(),
    "long": pa.int64(),
    "boolean": pa.bool_(),
}


def read(path: Path, signature: Signature = SIGNATURE, *, chunk_rows: int = 1000, **options: Any) -> list[Chunk]:
    """Read a file whose name says its format."""
    gzipped = path.suffix == ".gz"
    kind = FileFormat((path.with_suffix("") if gzipped else path).suffix[1:])
    file = InputFile(key="input", version_id="1", etag="e", size=path.stat().st_size, format=kind, gzipped=gzipped)
    options.setdefault("features", TABLE)
    return list(InputReader(signature, **options).read(path, file, chunk_rows))


def read_one(path: Path, **options: Any) -> Chunk:
    """Read a file of one chunk."""
    [chunk] = read(path, **options)
    return chunk


def wrong(chunk: Chunk) -> dict[int, tuple[str, str]]:
    """Return code and pointer of the wrong rows, by their number."""
    return {row: (error.code, error.pointer) for row, error in chunk.errors.items()}


def write_text(folder: Path, name: str, text: str | bytes) -> Path:
    """Write a file, packed if its name says so."""
    body = text.encode() if isinstance(text, str) else text
    path = folder / name
    path.write_bytes(gzip.compress(body, 1) if name.endswith(".gz") else body)
    return path


def write_jsonl(folder: Path, rows: Sequence[Mapping[str, Any]], name: str = "rows.jsonl") -> Path:
    """Write rows as JSON Lines; what is None is left out."""
    kept = [{key: value for key, value in row.items() if value is not None} for row in rows]
    return write_text(folder, name, "".join(json.dumps(row) + "\n" for row in kept))


def write_csv(folder: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], name: str = "rows.csv") -> Path:
    """Write rows as CSV."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([row.get(name) for name in columns] for row in rows)
    return write_text(folder, name, text.getvalue())


def write_parquet(
    folder: Path, columns: Mapping[str, Any], name: str = "rows.parquet", types: Any = None, **options: Any
) -> Path:
    """Write columns as Parquet."""
    arrays = {key: pa.array(column, (types or {}).get(key)) for key, column in columns.items()}
    path = folder / name
    pq.write_table(pa.table(arrays), path, **options)
    return path


def same(first: Sequence[Chunk], second: Sequence[Chunk]) -> bool:
    """Tell whether chunks have the same rows, however they are cut."""
    return _whole(first) == _whole(second)


def _whole(chunks: Sequence[Chunk]) -> list[Any]:
    return [
        (
            chunk.first + row,
            chunk.custom_ids[row],
            chunk.match_ids[row],
            [None if math.isnan(value) else value for value in chunk.values[row].tolist()],
            chunk.errors.get(chunk.first + row),
        )
        for chunk in chunks
        for row in range(len(chunk))
    ]
