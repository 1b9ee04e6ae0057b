"""Odds on their way into the dataset."""

from __future__ import annotations

import pyarrow as pa

QUOTES = pa.schema(
    [
        ("match_id", pa.string()),
        ("bookmaker", pa.string()),
        ("closing", pa.bool_()),
        ("home", pa.float64()),
        ("draw", pa.float64()),
        ("away", pa.float64()),
    ]
)
"""Odds on their way into the dataset; the time they were taken at follows from the match."""
