"""Published snapshots as they are parsed, and the rows of their pages."""

from __future__ import annotations

import json
from typing import Any

from matchcast.adapters.parquet_snapshot import parse_snapshot
from matchcast.snapshots.tables import Filters, RowsPage, SnapshotTables
from tests.support.snapshots import BOOKMAKER, snapshot_files, snapshot_manifest

ALL = Filters()


def loaded(*, bookmaker: str = BOOKMAKER, **rows: Any) -> SnapshotTables:
    """Return the tables of a snapshot that has these rows."""
    files = snapshot_files(**rows)
    return parse_snapshot(snapshot_manifest(files), files, bookmaker=bookmaker)


def items(page: RowsPage) -> list[dict[str, Any]]:
    """Return the rows of a page."""
    found: list[dict[str, Any]] = json.loads(b"[" + page.rows + b"]")
    return found


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows in the order of the lists: by kick-off, then by match id."""
    return sorted(rows, key=lambda row: (row["kickoff"], row["match_id"]))


def ids(rows: list[dict[str, Any]]) -> list[str]:
    """Return the match ids of rows."""
    return [row["match_id"] for row in rows]
