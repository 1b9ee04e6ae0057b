"""Splits that fail: what the batch becomes, and whether operators get a letter."""

from __future__ import annotations

from pathlib import Path

import pytest

from matchcast.batch_messages import SplitBatch
from matchcast.domain.batch import BatchKeys, BatchStatus
from matchcast.errors import BatchFilesMissing
from tests.support.batch_flow import MIXED, Flow


def test_a_fault_of_the_service_is_raised_before_the_batch_fails() -> None:
    # GIVEN a batch whose request is gone
    flow = Flow()
    batch = flow.submitted(MIXED)
    flow.raw.delete([BatchKeys(batch.batch_id).request])

    # WHEN it is split
    # THEN its message is not done: it becomes a letter, and then the batch fails
    with pytest.raises(BatchFilesMissing):
        flow.work.do(SplitBatch(batch_id=batch.batch_id, tenant="north"))
    assert flow.batch(batch).status is BatchStatus.QUEUED


def test_a_worker_that_comes_too_late_does_not_fail_a_batch_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a worker that finds no input any more, once another one has split it
    flow = Flow()
    batch = flow.submitted(MIXED)
    message = SplitBatch(batch_id=batch.batch_id, tenant="north")
    download = flow.uploads.download

    def late(key: str, version_id: str | None, path: Path) -> bool:
        monkeypatch.setattr(flow.uploads, "download", download)
        flow.work.do(message)
        return False

    monkeypatch.setattr(flow.uploads, "download", late)

    # WHEN
    flow.work.do(message)

    # THEN
    assert (flow.batch(batch).status, flow.batch(batch).error) == (BatchStatus.RUNNING, None)
