"""Stores of batches: in memory and on DynamoDB, by the same tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Protocol

import boto3
import pytest

from matchcast.adapters.dynamodb_batches import DynamoDBBatches
from matchcast.batches.ports import BatchIndex, BatchStore
from matchcast.domain.batch import Batch, BatchStatus
from matchcast.domain.task import TaskError
from tests.support.batches import InMemoryBatches
from tests.support.stored_batches import a_batch, a_part, running
from tests.support.tasks import NOW

FINAL = (BatchStatus.SUCCEEDED, BatchStatus.FAILED, BatchStatus.CANCELLED)


class BatchesTable(BatchStore, BatchIndex, Protocol):
    """Both ports of batches."""


@pytest.fixture(params=["in memory", "dynamodb"])
def batches(request: pytest.FixtureRequest) -> BatchesTable:
    if request.param == "in memory":
        return InMemoryBatches()
    names = request.getfixturevalue("aws")
    return DynamoDBBatches(boto3.client("dynamodb"), names["TasksTableName"])


def read(batches: BatchesTable, batch: Batch) -> Batch:
    return batches.get_many([batch.batch_id])[batch.batch_id]


def put_running(batches: BatchesTable, **changes: Any) -> Batch:
    batch = running(a_batch(), **changes)
    assert batches.create(batch)
    return batch


def test_a_batch_comes_back_as_it_was_put(batches: BatchesTable) -> None:
    # GIVEN batches with and without what is optional
    plain = a_batch()
    full = running(
        a_batch(error=TaskError(code="c", detail="d", errors=({"detail": "x", "pointer": "/a"},)), completed_at=NOW),
        output_generation=1,
        invalid=3,
        to_run=17,
    )

    # WHEN they are put and read
    # THEN
    assert batches.create(plain)
    assert batches.create(full)
    assert dict(batches.get_many([plain.batch_id, "unknown", full.batch_id, plain.batch_id])) == {
        plain.batch_id: plain,
        full.batch_id: full,
    }


def test_a_second_put_loses_and_changes_nothing(batches: BatchesTable) -> None:
    batch = a_batch()

    assert batches.create(batch)
    assert not batches.create(batch.model_copy(update={"generation": 1}))
    assert read(batches, batch) == batch


@pytest.mark.parametrize("present", list(BatchStatus))
def test_a_change_goes_over_the_states_that_it_names_alone(batches: BatchesTable, present: BatchStatus) -> None:
    # GIVEN a batch in a state
    batch = a_batch(status=present)
    batches.create(batch)
    over = (BatchStatus.QUEUED, BatchStatus.CANCELLING)

    # WHEN it is changed over two others
    changed = batches.change(batch.model_copy(update={"status": BatchStatus.FAILED, "completed_at": NOW}), over)

    # THEN
    assert changed == (present in over)
    assert read(batches, batch).status is (BatchStatus.FAILED if changed else present)


def test_a_change_goes_over_the_generation_that_it_names_alone(batches: BatchesTable) -> None:
    # GIVEN a batch that ended with an error
    batch = a_batch(status=BatchStatus.FAILED, completed_at=NOW, error=TaskError(code="c", detail="d"))
    batches.create(batch)
    again = {"status": BatchStatus.QUEUED, "generation": 1, "error": None, "completed_at": None}
    retried = batch.model_copy(update=again)

    # WHEN it is queued again, by two callers
    # THEN the first one wins, and nothing is left of its end
    assert not batches.change(retried, FINAL)
    assert batches.change(retried, FINAL, generation=0)
    assert not batches.change(retried, FINAL, generation=0)
    assert read(batches, batch) == retried


def test_a_change_of_a_missing_batch_loses(batches: BatchesTable) -> None:
    batch = a_batch()

    assert not batches.change(batch, list(BatchStatus))
    assert dict(batches.get_many([batch.batch_id])) == {}


def test_a_part_that_ends_adds_its_counts(batches: BatchesTable) -> None:
    # GIVEN a batch of which three rows are wrong
    batch = put_running(batches, failed=3, invalid=3)

    # WHEN two parts end
    assert batches.finish_part(batch, a_part(1), None)
    assert batches.finish_part(batch, a_part(0), None)

    # THEN rows that are wrong are not counted again
    found = read(batches, batch)
    assert (found.succeeded, found.failed, found.parts_done, found.queued) == (14, 3 + 4, 2, 20 - 14 - 7)
    assert list(batches.parts(batch.batch_id)) == [a_part(0), a_part(1)]
    assert batches.part(batch.batch_id, 1) == a_part(1)
    assert batches.part(batch.batch_id, 2) is None


def test_a_part_ends_once_in_a_generation(batches: BatchesTable) -> None:
    # GIVEN a part that has ended
    batch = put_running(batches)
    batches.finish_part(batch, a_part(), None)
    before = read(batches, batch)

    # WHEN other workers end it too, with what they knew before or know now
    other = a_part(succeeded=9, failed=1, files="ff")
    # THEN
    assert not batches.finish_part(batch, other, None)
    assert not batches.finish_part(batch, other, a_part())
    assert read(batches, batch) == before
    assert batches.part(batch.batch_id, 0) == a_part()


@pytest.mark.parametrize("status", [status for status in BatchStatus if status is not BatchStatus.RUNNING])
def test_no_part_of_a_batch_that_does_not_run_ends(batches: BatchesTable, status: BatchStatus) -> None:
    batch = put_running(batches, status=status)

    assert not batches.finish_part(batch, a_part(), None)
    assert batches.part(batch.batch_id, 0) is None
    assert read(batches, batch) == batch


def test_no_part_of_another_generation_ends(batches: BatchesTable) -> None:
    batch = put_running(batches, generation=1)

    assert not batches.finish_part(batch, a_part(generation=0), None)
    assert not batches.finish_part(batch, a_part(generation=2), None)
    assert read(batches, batch) == batch


def test_a_part_that_ends_again_adds_what_it_lacked(batches: BatchesTable) -> None:
    # GIVEN a batch whose part ended, and that runs it again
    batch = put_running(batches, generation=1, succeeded=7, failed=1)
    first = batch.model_copy(update={"generation": 0, "succeeded": 0})
    batches.change(first, [BatchStatus.RUNNING], generation=1)
    batches.finish_part(first, a_part(), None)
    batches.change(read(batches, first).model_copy(update={"status": BatchStatus.SUCCEEDED}), [BatchStatus.RUNNING])
    again = running(first, parts=1, generation=1, succeeded=7, failed=1, parts_done=0)
    assert batches.change(again, [BatchStatus.SUCCEEDED], generation=0)

    # WHEN it ends again, with one failed row instead of two
    second = a_part(generation=1, succeeded=8, failed=2, files="0b")
    assert batches.finish_part(again, second, a_part())

    # THEN
    found = read(batches, again)
    assert (found.succeeded, found.failed, found.parts_done) == (8, 2, 1)
    assert batches.part(again.batch_id, 0) == second


def test_counts_never_drift_when_a_running_batch_is_changed(batches: BatchesTable) -> None:
    # GIVEN a batch that was read before a part ended
    batch = put_running(batches)
    batches.finish_part(batch, a_part(), None)

    # WHEN it is changed by who has read it before
    assert batches.change(batch.model_copy(update={"status": BatchStatus.CANCELLING}), [BatchStatus.RUNNING])

    # THEN the counts are still those of its parts
    found = read(batches, batch)
    assert (found.status, found.succeeded, found.failed, found.parts_done) == (BatchStatus.CANCELLING, 7, 2, 1)

    # WHEN it is joined, and no part can end any more
    cancelled = {"status": BatchStatus.CANCELLED, "succeeded": 7, "failed": 3, "cancelled": 10}
    assert batches.change(found.model_copy(update=cancelled), [BatchStatus.CANCELLING])

    # THEN the counts are those of the files
    final = read(batches, batch)
    assert (final.succeeded, final.failed, final.cancelled) == (7, 3, 10)


def test_attempts_are_counted_for_each_part_and_generation(batches: BatchesTable) -> None:
    # GIVEN a part that ended once
    batch = put_running(batches)
    batches.finish_part(batch, a_part(), None)

    # WHEN attempts of it fail in two generations, and one of a part that never ended
    counts = [batches.record_part_attempt(batch.batch_id, 0, generation) for generation in (0, 0, 1, 0)]
    counts.append(batches.record_part_attempt(batch.batch_id, 1, 0))

    # THEN how parts ended is as it was
    assert counts == [1, 2, 1, 3, 1]
    assert list(batches.parts(batch.batch_id)) == [a_part()]
    assert batches.part(batch.batch_id, 1) is None


def test_batches_are_listed_for_their_tenant_newest_first(batches: BatchesTable) -> None:
    # GIVEN batches of two tenants
    mine = [a_batch(created_at=NOW + timedelta(seconds=second)) for second in range(5)]
    for batch in [*mine, a_batch(tenant="south"), a_batch(tenant="north#batches")]:
        batches.create(batch)
    ids = [batch.batch_id for batch in reversed(mine)]

    # WHEN they are listed in pages
    first = batches.list_ids("north", None, 3)
    second = batches.list_ids("north", first.next_before, 3)

    # THEN
    assert (list(first.ids), list(second.ids), second.next_before) == (ids[:3], ids[3:], None)


def test_open_batches_are_counted_up_to_a_number(batches: BatchesTable) -> None:
    # GIVEN batches in every state, one that has expired, and one of another tenant
    every = [a_batch(status=status) for status in BatchStatus]
    for batch in [*every, a_batch(expires_at=NOW - timedelta(seconds=1)), a_batch(tenant="south")]:
        batches.create(batch)

    # WHEN they are counted
    # THEN
    assert [batches.count_open("north", NOW, most) for most in (100, 2)] == [3, 2]

    # WHEN one ends, and one is tried again
    batches.change(every[0].model_copy(update={"status": BatchStatus.FAILED}), [every[0].status])
    assert batches.count_open("north", NOW, 100) == 2
    batches.change(every[0].model_copy(update={"generation": 1}), FINAL, generation=0)
    # THEN
    assert batches.count_open("north", NOW, 100) == 3
