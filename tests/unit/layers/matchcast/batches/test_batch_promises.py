"""Small promises of what clients ask of batches, each of which one line keeps."""

from __future__ import annotations

import pytest

from matchcast.batch_messages import JoinBatch
from matchcast.batches.submit import BatchSubmission
from matchcast.domain.batch import BatchKeys, BatchStatus
from matchcast.domain.task import TaskError
from tests.support.batch_flow import MIXED, Flow, good
from tests.support.stored_batches import a_batch, running


def test_who_cancels_again_has_the_batch_joined_again() -> None:
    # GIVEN a batch that is being cancelled, whose message got lost
    flow = Flow()
    batch = running(a_batch(), status=BatchStatus.CANCELLING)
    flow.records.create(batch)

    # WHEN
    flow.track.cancel("north", batch.batch_id)

    # THEN
    assert flow.queue.bodies == [JoinBatch(batch_id=batch.batch_id, tenant="north")]


def test_a_batch_that_is_run_again_has_no_error_any_more() -> None:
    # GIVEN
    flow = Flow()
    lost = TaskError(code="dead-lettered", detail="Lost.")
    batch = running(a_batch(), status=BatchStatus.FAILED, error=lost)
    flow.records.create(batch)

    # WHEN
    again, _ = flow.track.retry_failed("north", batch.batch_id)

    # THEN
    assert (again.error, flow.batch(batch).error) == (None, None)


@pytest.mark.parametrize(("limit", "following"), [(2, 1), (3, None), (4, None)])
def test_a_page_of_parts_names_the_next_one_if_there_is_one(limit: int, following: int | None) -> None:
    # GIVEN a batch of three parts
    flow = Flow()
    batch = flow.submitted(MIXED)
    flow.settle()

    # WHEN
    page = flow.track.parts("north", batch.batch_id, limit=limit)

    # THEN
    assert ([part.number for part in page.parts], page.next_after) == ([0, 1, 2][:limit], following)


def test_the_request_that_is_kept_first_is_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a submission, while which another one with the same id keeps its request
    flow = Flow()
    first = flow.submitted([good(0)])
    kept = flow.raw.get(BatchKeys(first.batch_id).request)
    assert kept is not None
    switch = flow.raw.switch

    def late(key: str, body: bytes, version: str | None) -> bool:
        flow.raw.put(key, kept.body)
        return switch(key, body, version)

    monkeypatch.setattr(flow.raw, "switch", late)

    # WHEN
    batch, _ = flow.submit.submit("north", BatchSubmission(input_key=flow.upload([good(1), good(2)])))

    # THEN
    assert batch == first
