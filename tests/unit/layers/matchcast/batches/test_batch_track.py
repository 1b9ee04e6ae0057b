"""What a tenant sees of its batches."""

from __future__ import annotations

from datetime import timedelta

import pytest

from matchcast.batches.track import Progress
from matchcast.domain.batch import Batch, BatchStatus
from matchcast.domain.task import new_task_id
from matchcast.errors import BatchGone, BatchNotFound
from tests.support.batch_flow import MIXED, Flow, good
from tests.support.tasks import NOW


def test_a_batch_is_seen_by_its_tenant_until_it_expires_and_is_then_forgotten() -> None:
    # GIVEN
    flow = Flow()
    batch = flow.submitted(MIXED)

    # WHEN time goes by
    # THEN
    assert flow.track.status("north", batch.batch_id) == batch
    for tenant, batch_id in (("south", batch.batch_id), ("north", new_task_id()), ("north", "x" * 3000)):
        with pytest.raises(BatchNotFound):
            flow.track.status(tenant, batch_id)
    flow.now = batch.expires_at
    with pytest.raises(BatchGone, match="expired at 2026-03-02"):
        flow.track.status("north", batch.batch_id)
    flow.now += timedelta(days=7)
    with pytest.raises(BatchNotFound):
        flow.track.status("north", batch.batch_id)


def test_batches_are_listed_newest_first_page_by_page() -> None:
    # GIVEN
    flow = Flow()
    made: list[Batch] = []
    for _ in range(5):
        flow.now += timedelta(seconds=1)
        made.insert(0, flow.submitted([good(0)]))
    flow.track.cancel("north", made[2].batch_id)

    # WHEN
    first = flow.track.list("north", limit=3)
    second = flow.track.list("north", limit=3, before=first.next_before)

    # THEN
    ids = [batch.batch_id for batch in (*first.batches, *second.batches)]
    assert (ids, second.next_before) == ([batch.batch_id for batch in made], None)
    cancelled = flow.track.list("north", status=BatchStatus.CANCELLED).batches
    assert [batch.batch_id for batch in cancelled] == [made[2].batch_id]
    assert flow.track.list("south").batches == []
    flow.now = made[-1].expires_at
    assert len(flow.track.list("north").batches) == 4


def test_progress_is_rows_a_second_and_when_the_rest_will_have_run() -> None:
    # GIVEN ten rows, two of them wrong: eight to run, two a part
    flow = Flow(size=2, window=1)
    batch = flow.submitted(MIXED)
    assert flow.track.progress(batch) == Progress(None, None)
    flow.step()
    assert flow.track.progress(flow.batch(batch)) == Progress(None, None)

    # WHEN the first two parts, with three rows to run, took six seconds
    flow.step()
    flow.step()
    flow.now += timedelta(seconds=6)

    # THEN five rows are left
    assert flow.track.progress(flow.batch(batch)) == Progress(0.5, NOW + timedelta(seconds=16))
    flow.settle()
    assert flow.track.progress(flow.batch(batch)) == Progress(8 / 6, None)


def test_progress_of_a_retry_counts_what_it_runs_alone() -> None:
    # GIVEN
    flow = Flow(size=2, window=1)
    batch = flow.submitted(MIXED)
    flow.settle()
    flow.poisoned = False
    flow.track.retry_failed("north", batch.batch_id)

    # WHEN one of two failed rows has run again, after both messages that split
    for _ in range(3):
        flow.step()
    flow.now += timedelta(seconds=4)

    # THEN
    assert flow.track.progress(flow.batch(batch)) == Progress(0.25, NOW + timedelta(seconds=8))


def test_ended_parts_are_listed_page_by_page() -> None:
    # GIVEN
    flow = Flow(size=2)
    batch = flow.submitted(MIXED)
    flow.settle()

    # WHEN
    first = flow.track.parts("north", batch.batch_id, limit=3)
    second = flow.track.parts("north", batch.batch_id, limit=3, after=first.next_after)

    # THEN
    assert [part.number for part in (*first.parts, *second.parts)] == [0, 1, 2, 3, 4]
    assert second.next_after is None
    assert sum(part.succeeded for part in (*first.parts, *second.parts)) == 6
    with pytest.raises(BatchNotFound):
        flow.track.parts("south", batch.batch_id)
