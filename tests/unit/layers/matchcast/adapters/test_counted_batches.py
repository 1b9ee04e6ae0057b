"""Rows of parts are counted as requests, once; those of snapshots are nobody's."""

from __future__ import annotations

import pytest

from matchcast.adapters.counted_batches import CountedBatches
from matchcast.adapters.dynamodb_batches import DynamoDBBatches
from matchcast.domain.batch import SNAPSHOTS_TENANT
from tests.support.stored_batches import a_batch, a_part


@pytest.mark.parametrize(
    ("tenant", "is_ended", "counted"),
    [
        ("north", True, {"succeeded": 7, "failed": 2, "rejected": 1}),
        ("north", False, {}),
        (SNAPSHOTS_TENANT, True, {}),
    ],
)
def test_rows_are_counted_by_whoever_ended_the_part(
    monkeypatch: pytest.MonkeyPatch, tenant: str, is_ended: bool, counted: dict[str, int]
) -> None:
    # GIVEN a table in which the part ends, or has ended
    monkeypatch.setattr(DynamoDBBatches, "finish_part", lambda *_: is_ended)
    found: dict[str, int] = {}
    batches = CountedBatches(None, "tasks", lambda _, outcome, rows: found.update({outcome: rows}))
    # WHEN
    ended = batches.finish_part(a_batch(tenant=tenant), a_part(), None)
    # THEN
    assert ended is is_ended
    assert found == counted
