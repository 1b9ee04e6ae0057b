"""Dead letters of batches: their parts and batches come to an end, and the letters stay."""

from __future__ import annotations

from matchcast.adapters.in_memory import InMemoryLanes, InMemoryTasks
from matchcast.batch_messages import QUEUE, JoinBatch, LosePart, RunPart, SplitBatch, encode_message
from matchcast.batches.sweep import LostParts, SweepBatchLetters
from matchcast.domain.batch import BatchStatus
from matchcast.domain.task import Priority, TaskStatus
from matchcast.messages import encode
from matchcast.tasks.sweep import SweepDeadLetters, Swept
from tests.support.batch_flow import MIXED, Flow, good
from tests.support.tasks import NOW, a_task


def test_parts_among_the_dead_letters_of_tasks_are_lost_once_for_all() -> None:
    # GIVEN a part and a task that the queue gave up, and a part that a worker buried
    flow, lanes, tasks = Flow(size=2, window=5), InMemoryLanes(), InMemoryTasks()
    batch, task = flow.submitted([good(0), good(1), good(2)]), a_task()
    flow.step()
    parts = [message for message in flow.queue.bodies if isinstance(message, RunPart)]
    flow.queue.messages.clear()
    tasks.create(task)
    for body, cause in ((encode_message(parts[0]), None), (encode(task), None), (encode_message(parts[1]), "x")):
        lanes.bury(Priority.NORMAL, body, cause, None)
    lose = LostParts(flow.records, flow.queue, lambda: NOW).lose
    sweep = SweepDeadLetters(lanes, tasks, lambda: NOW, lose_parts=lose)

    # WHEN
    swept = sweep.sweep()

    # THEN
    assert swept == Swept(letters=3, failed=2)
    assert [type(message) for message in flow.queue.bodies] == [LosePart]
    assert tasks.get_many([task.task_id])[task.task_id].status is TaskStatus.FAILED
    flow.deliver(parts[1])
    flow.settle()
    output, errors = flow.rows(batch)
    assert ([row["row"] for row in output], {row["code"] for row in errors}) == ([2], {"dead-lettered"})
    assert sweep.sweep() == Swept(letters=3, failed=0)
    assert len(lanes.dead_letters) == 3


def test_a_part_that_nobody_can_read_and_that_no_worker_could_bury_fails_its_batch() -> None:
    # GIVEN a part of a later version that the queue gave up
    flow = Flow(size=2)
    batch = flow.submitted([good(0)])
    flow.step()
    (part,) = flow.queue.bodies
    flow.queue.messages.clear()
    lanes = InMemoryLanes()
    lanes.bury(Priority.NORMAL, encode_message(part).replace('"version":2', '"version":3'), None, None)
    lanes.bury(Priority.NORMAL, '{"kind": "part"}', None, None)
    lose = LostParts(flow.records, flow.queue, lambda: NOW).lose
    sweep = SweepDeadLetters(lanes, InMemoryTasks(), lambda: NOW, lose_parts=lose)

    # WHEN
    assert [sweep.sweep(), sweep.sweep()] == [Swept(letters=2, failed=1), Swept(letters=2, failed=0)]

    # THEN
    failed = flow.batch(batch)
    assert (failed.status, failed.error and failed.error.code) == (BatchStatus.FAILED, "dead-lettered")


def test_a_batch_whose_message_was_given_up_fails_and_goes_on_when_it_is_retried() -> None:
    # GIVEN
    flow, lanes = Flow(size=2), InMemoryLanes()
    batch = flow.submitted(MIXED)
    flow.step()
    flow.step()
    flow.queue.messages.clear()
    for body in (encode_message(JoinBatch(batch_id=batch.batch_id, tenant="north")), "no message"):
        lanes.bury(QUEUE, body, None, None)
    sweep = SweepBatchLetters(lanes, flow.records, lambda: NOW)

    # WHEN
    assert sweep.sweep() == Swept(letters=2, failed=1)
    assert sweep.sweep() == Swept(letters=2, failed=0)

    # THEN
    failed = flow.batch(batch)
    assert (failed.status, failed.error and failed.error.code) == (BatchStatus.FAILED, "dead-lettered")
    flow.track.retry_failed("north", batch.batch_id)
    assert sweep.sweep() == Swept(letters=2, failed=0)
    flow.settle()
    assert flow.batch(batch).status is BatchStatus.SUCCEEDED
    flow.rows(batch)


def test_a_batch_that_could_not_be_split_is_split_by_its_retry() -> None:
    # GIVEN
    flow, lanes = Flow(), InMemoryLanes()
    batch = flow.submitted(MIXED)
    flow.queue.messages.clear()
    lanes.bury(QUEUE, encode_message(SplitBatch(batch_id=batch.batch_id, tenant="north")), None, None)

    # WHEN
    SweepBatchLetters(lanes, flow.records, lambda: NOW).sweep()
    flow.track.retry_failed("north", batch.batch_id)
    flow.settle()

    # THEN
    flow.rows(batch)
