"""The columns of the stored tables; imports nothing but Arrow, because snapshots are made with it."""

from __future__ import annotations

import pyarrow as pa

STATISTICS = ("home_shots", "away_shots")

_TEXT = pa.string()
_FEW = pa.dictionary(pa.int32(), pa.string())
MOMENT = pa.timestamp("ms", tz="UTC")

MATCHES = pa.schema(
    [
        ("match_id", _TEXT),
        ("division", _FEW),
        ("region", _FEW),
        ("league", _FEW),
        ("season", _FEW),
        ("date", pa.date32()),
        ("kickoff", MOMENT),
        ("home_team", _FEW),
        ("away_team", _FEW),
        ("home_goals", pa.int16()),
        ("away_goals", pa.int16()),
        ("result", _FEW),
        ("status", _FEW),
        *((name, pa.int16()) for name in STATISTICS),
    ]
)
"""One row a match; goals, result and shots are null where they are not known."""

ODDS = pa.schema(
    [
        ("match_id", _TEXT),
        ("bookmaker", _FEW),
        ("home", pa.float64()),
        ("draw", pa.float64()),
        ("away", pa.float64()),
        ("taken_at", MOMENT),
    ]
)
"""Decimal odds; those with `taken_at` equal to the kick-off are closing odds."""

QUOTES = pa.schema(
    [
        ("match_id", _TEXT),
        ("bookmaker", _TEXT),
        ("closing", pa.bool_()),
        ("home", pa.float64()),
        ("draw", pa.float64()),
        ("away", pa.float64()),
    ]
)
"""Odds on their way into the dataset; the time they were taken at follows from the match."""


def plain(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values of a dictionary type, or the type itself."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema with text in place of dictionaries."""
    return pa.schema([(entry.name, plain(entry.type)) for entry in schema])
