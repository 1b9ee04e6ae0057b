"""The worker when something fails: faults are retried or buried, and no task is lost on the way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from matchcast.domain.manifests import MODEL_MANIFEST_KEY
from matchcast.domain.task import Priority, Task, TaskStatus
from matchcast.messages import encode
from tests.support.releases import Release
from tests.support.run_predictions import MATCH, Lanes, Unsteady, Worker, queued
from tests.support.tasks import a_delivery, a_task

if TYPE_CHECKING:
    from matchcast.ports import Rows


@pytest.mark.parametrize("body", ["no json", "[]", '{"version": 99}'])
def test_a_poisoned_message_is_buried_with_its_cause_and_stops_no_other_message(body: str) -> None:
    # GIVEN
    worker = Worker()
    (task,) = queued(worker, 1)

    # WHEN poison and a task are received together
    outcomes = worker(a_delivery(body, lane=Priority.HIGH, number=1), a_delivery(task, number=2))

    # THEN
    assert [(letter.queue, letter.body, letter.cause) for letter in worker.lanes.dead_letters] == [
        (Priority.HIGH, body, "invalid-message")
    ]
    assert all(outcome.done for outcome in outcomes.values())
    assert worker.task(task).status is TaskStatus.SUCCEEDED


@pytest.mark.parametrize("is_known", [True, False])
def test_poison_that_names_its_task_is_buried_with_its_name(is_known: bool) -> None:
    # GIVEN a message that cannot be read but for the id of its task
    worker = Worker()
    task = queued(worker, 1)[0] if is_known else a_task(match_id=MATCH)
    body = json.dumps({**json.loads(encode(task)), "stage": 7})

    # WHEN it comes while the table is out of reach, and again
    worker.tasks.down = {"get_many"}
    early = worker(a_delivery(body))["message-1"]
    worker.tasks.down = set()
    late = worker(a_delivery(body))["message-1"]

    # THEN it says why it comes again, and why it is over
    assert (early.done, late.done) == (False, True)
    assert [outcome.problem and outcome.problem.code for outcome in (early, late)] == ["invalid-message"] * 2
    assert worker.lanes.buried == [task.task_id]


def test_a_poisoned_message_that_cannot_be_buried_comes_again() -> None:
    worker = Worker(lanes=Lanes(down="bury"))

    assert not worker(a_delivery("no json"))["message-1"].done


def test_a_passing_fault_is_tried_three_times_with_growing_delays_then_fails_and_is_buried() -> None:
    # GIVEN a model store out of reach
    worker = Worker()
    (task,) = queued(worker, 1)
    worker.break_model_store()

    # WHEN the message is received three times
    outcomes = [worker(a_delivery(task))["message-1"].done for _ in range(3)]

    # THEN
    assert outcomes == [False, False, True]
    first, second = (seconds for _, _, seconds in worker.lanes.postponed)
    assert first == 10
    assert 30 <= second <= 45
    final = worker.task(task)
    assert (final.status, final.attempts) == (TaskStatus.FAILED, 3)
    assert final.error is not None
    assert final.error.code == "model-unavailable"
    assert [(letter.body, letter.cause) for letter in worker.lanes.dead_letters] == [
        (encode(task), "model-unavailable")
    ]


def test_a_passing_fault_that_passes_leaves_a_result() -> None:
    # GIVEN a task whose first attempt failed because the model store was out of reach
    worker = Worker()
    (task,) = queued(worker, 1)
    good = worker.release.objects.get(MODEL_MANIFEST_KEY)
    assert good is not None
    worker.break_model_store()
    worker(a_delivery(task))

    # WHEN the store is back and the message comes again
    worker.release = Release()
    worker(a_delivery(task, number=2))

    # THEN
    final = worker.task(task)
    assert (final.status, final.attempts) == (TaskStatus.SUCCEEDED, 1)


def test_a_model_that_fails_is_not_tried_again() -> None:
    worker = Worker()
    worker.release.model.answer = np.array([[np.nan, 0, 0]], np.float32)
    (task,) = queued(worker, 1)

    assert worker(a_delivery(task))["message-1"].done
    assert worker.task(task).status is TaskStatus.FAILED
    assert [letter.cause for letter in worker.lanes.dead_letters] == ["model-failed"]
    assert worker.lanes.buried == [task.task_id]


@pytest.mark.parametrize("generation", [0, 1])
def test_a_message_whose_task_another_worker_ended_meanwhile_is_not_buried_again(generation: int) -> None:
    # GIVEN a model that takes long to fail, and another worker that fails the task before
    worker = Worker()
    (task,) = queued(worker, 1)
    predict = worker.release.model.predict

    def fail(rows: Rows) -> Rows:
        other = {"status": TaskStatus.FAILED} if generation == 0 else {"generation": generation}
        worker.tasks._tasks[task.task_id] = task.model_copy(update=other)
        worker.release.model.broken = True
        return predict(rows)

    worker.release.model.predict = fail  # type: ignore[method-assign]

    # WHEN it fails here as well
    outcome = worker(a_delivery(task))["message-1"]

    # THEN the message is done, and the dead letters have no second copy
    assert outcome.done
    assert worker.lanes.dead_letters == []


def test_a_task_whose_burial_fails_is_kept_queued_with_its_message() -> None:
    worker = Worker(lanes=Lanes(down="bury"))
    worker.release.model.broken = True
    (task,) = queued(worker, 1)

    assert not worker(a_delivery(task))["message-1"].done
    assert worker.task(task).status is TaskStatus.QUEUED


@pytest.mark.parametrize("call", ["get_many", "finish"])
def test_a_table_out_of_reach_spends_no_attempts_and_loses_nothing(call: str) -> None:
    # GIVEN a table out of reach
    worker = Worker()
    (task,) = queued(worker, 1)
    worker.tasks.down = {call}

    # WHEN a message is received
    # THEN it has to come again
    assert not worker(a_delivery(task))["message-1"].done

    # WHEN the table is back
    worker.tasks.down = set()

    # THEN the task is as it was, and its message completes it
    assert (worker.task(task).status, worker.task(task).attempts) == (TaskStatus.QUEUED, 0)
    assert worker(a_delivery(task))["message-1"].done
    assert worker.task(task).status is TaskStatus.SUCCEEDED


def test_an_attempt_that_cannot_be_counted_is_not_spent() -> None:
    worker = Worker()
    (task,) = queued(worker, 1)
    worker.break_model_store()
    worker.tasks.down = {"record_attempt"}

    assert not worker(a_delivery(task))["message-1"].done
    assert worker.task(task).attempts == 0


def test_a_task_that_ends_while_its_attempt_is_counted_is_left_alone() -> None:
    # GIVEN a task that is cancelled right before its failed attempt is counted
    worker = Worker()
    (task,) = queued(worker, 1)
    worker.break_model_store()

    class Cancelled(Unsteady):
        def record_attempt(self, task: Task) -> int | None:
            self.finish(task.model_copy(update={"status": TaskStatus.CANCELLED}))
            return super().record_attempt(task)

    worker.tasks = Cancelled()
    worker.tasks.create(task)

    # WHEN its message is received
    # THEN
    assert worker(a_delivery(task))["message-1"].done
    assert worker.task(task).status is TaskStatus.CANCELLED
