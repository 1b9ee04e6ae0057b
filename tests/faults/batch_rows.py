"""Rows of batches: drawn, written as the files that clients upload, and what has to become of each."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.faults.bucket import CURSED, EXPLODES, MATCHES, SNAPSHOTS, WITHDRAWN, features, right
from tests.support.releases import SIGNATURE

UNKNOWN = "e0-2026-03-30-nobody-nowhere"
FORMATS = ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet")
_NAMES = tuple(column.name for column in SIGNATURE.inputs)
_EXPLODES = tuple(EXPLODES.values())
_GOOD = [match for match in MATCHES if match not in (CURSED, WITHDRAWN)]
Right = tuple[float, ...] | None


@dataclass(frozen=True)
class Row:
    """A row of an input. Of what is wrong in it, a feature is missing."""

    custom_id: str | None = None
    match_id: str | None = None
    features: tuple[float | None, ...] = (None, None)

    @property
    def is_own(self) -> bool:
        """Return whether it has features of its own."""
        return self.features != (None, None)


def draw_rows(
    rng: random.Random, *, failing: float, most: Sequence[int], only_matches: bool = False
) -> tuple[Row, ...]:
    """Return at least four rows of all kinds; `failing` is the share of those for which the model fails."""
    rows = [_draw(rng, failing, only_matches=only_matches) for _ in range(rng.randint(4, rng.choice(most)))]
    if only_matches:
        return tuple(Row(match_id=row.match_id) for row in rows)
    return tuple(Row(f"row {number}", row.match_id, row.features) for number, row in enumerate(rows))


def _draw(rng: random.Random, failing: float, *, only_matches: bool) -> Row:
    chance = rng.random()
    if chance < failing:
        return Row(match_id=CURSED) if only_matches or rng.random() < 0.5 else Row(features=_EXPLODES)
    if chance < failing + 0.1:
        return Row(match_id=rng.choice((WITHDRAWN, UNKNOWN)))
    if only_matches or chance < failing + 0.4:
        return Row(match_id=rng.choice(_GOOD))
    if chance < failing + 0.5:
        return Row(features=rng.choice(((1.0, None), (None, 2.0), (None, None))))
    return Row(match_id=rng.choice((None, *_GOOD)), features=(float(rng.randint(1, 9)), 1.5))


def encoded(rows: tuple[Row, ...], file_format: str) -> bytes:
    """Return the file of some rows."""
    columns: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in ("custom_id", "match_id")}
    columns |= {name: [row.features[at] for row in rows] for at, name in enumerate(_NAMES)}
    kind, _, packed = file_format.partition(".")
    if kind == "parquet":
        sink = io.BytesIO()
        types = {"custom_id": pa.string(), "match_id": pa.string(), **dict.fromkeys(_NAMES, pa.float64())}
        pq.write_table(pa.table({name: pa.array(columns[name], types[name]) for name in columns}), sink)
        return sink.getvalue()
    records = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    if kind == "csv":
        lines = [",".join("" if value is None else str(value) for value in record.values()) for record in records]
        text = "\n".join([",".join(columns), *lines]) + "\n"
    else:
        text = "".join(json.dumps(record) + "\n" for record in records)
    return gzip.compress(text.encode(), mtime=0) if packed else text.encode()


@cache
def expected(row: Row, version: str, snapshot_id: str) -> Right:
    """Return the probabilities that a row has to get, or None where it is wrong as it was sent."""
    if row.is_own:
        return None if None in row.features else right(version, row.features)
    found = features(SNAPSHOTS.index(snapshot_id)).get(row.match_id or "")
    return None if found is None else right(version, tuple(found))


def may_fail(row: Row) -> bool:
    """Return whether the model fails for a row before it is mended."""
    return row.features == _EXPLODES or (row.match_id == CURSED and not row.is_own)
