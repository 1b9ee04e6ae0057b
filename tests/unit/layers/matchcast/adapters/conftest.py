"""A snapshot that the tests of a module only read."""

from __future__ import annotations

import pytest

from matchcast.snapshots.tables import SnapshotTables
from tests.support.snapshot_tables import loaded


@pytest.fixture(scope="module")
def snapshot() -> SnapshotTables:
    """The tables of the snapshot of `tests.support.snapshots`."""
    return loaded()
