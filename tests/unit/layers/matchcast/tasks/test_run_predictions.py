"""The worker: each received message becomes the final result of its task, once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from matchcast.domain.task import TaskStatus
from matchcast.tasks.settle import Outcome
from tests.support.run_predictions import MATCH, Worker, queued
from tests.support.tasks import NOW, a_delivery, a_task


def test_a_receive_is_one_model_call_and_every_task_succeeds() -> None:
    worker = Worker()
    tasks = queued(worker, 20)

    outcomes = worker(*(a_delivery(task, number=n) for n, task in enumerate(tasks)))

    assert all(outcome.done and outcome.task for outcome in outcomes.values())
    assert {worker.task(task).status for task in tasks} == {TaskStatus.SUCCEEDED}
    assert worker.release.model.calls == [20]


def test_a_result_is_written_even_where_the_record_is_missing() -> None:
    worker = Worker()
    task = a_task(match_id=MATCH)

    worker(a_delivery(task))

    assert worker.task(task).status is TaskStatus.SUCCEEDED
    assert worker.task(task).completed_at == NOW


def test_a_duplicate_changes_nothing() -> None:
    # GIVEN a task that a worker finished
    worker = Worker()
    (task,) = queued(worker, 1)
    worker(a_delivery(task))
    first = worker.task(task)

    # WHEN its message comes again
    outcomes = worker(a_delivery(task, number=2))

    # THEN
    assert outcomes["message-2"] == Outcome("message-2", done=True, task=None)
    assert worker.task(task) == first
    assert worker.release.model.calls == [1]


def test_two_deliveries_of_one_task_in_one_receive_end_it_once() -> None:
    worker = Worker()
    (task,) = queued(worker, 1)

    outcomes = worker(a_delivery(task, number=1), a_delivery(task, number=2))

    assert [outcome.done for outcome in outcomes.values()] == [True, True]
    assert sum(outcome.task is not None for outcome in outcomes.values()) == 1


@pytest.mark.parametrize("status", [TaskStatus.CANCELLED, TaskStatus.FAILED, TaskStatus.EXPIRED])
def test_a_task_that_is_over_is_not_predicted(status: TaskStatus) -> None:
    # GIVEN
    worker = Worker()
    (task,) = queued(worker, 1)
    worker.tasks.finish(task.model_copy(update={"status": status}))

    # WHEN
    outcomes = worker(a_delivery(task))

    # THEN
    assert outcomes["message-1"].done
    assert worker.task(task).status is status
    assert worker.release.model.calls == []


def test_the_message_of_an_older_generation_is_dropped() -> None:
    worker = Worker()
    task = a_task(match_id=MATCH, generation=1)
    worker.tasks.create(task)

    outcomes = worker(a_delivery(task.model_copy(update={"generation": 0})))

    assert outcomes["message-1"].done
    assert worker.task(task).status is TaskStatus.QUEUED


def test_a_task_past_its_start_deadline_expires_without_a_prediction() -> None:
    worker = Worker()
    (task,) = queued(worker, 1, start_by=NOW - timedelta(seconds=1))

    outcomes = worker(a_delivery(task))

    assert outcomes["message-1"].done
    assert worker.task(task).status is TaskStatus.EXPIRED
    assert worker.release.model.calls == []


def test_what_the_client_got_wrong_fails_the_task_and_deletes_the_message() -> None:
    # GIVEN three tasks that can only fail
    worker = Worker()
    unknown_match, wrong_features, unknown_stage = (
        *queued(worker, 1, match_id="e0-2020-01-01-no-body"),
        *queued(worker, 1, match_id=None, features={"elo_difference": "x", "form": 1.0}),
        *queued(worker, 1, stage="nowhere"),
    )

    # WHEN they are received
    outcomes = worker(
        a_delivery(unknown_match, number=1), a_delivery(wrong_features, number=2), a_delivery(unknown_stage, number=3)
    )

    # THEN
    assert all(outcome.done for outcome in outcomes.values())
    errors = [worker.task(task).error for task in (unknown_match, wrong_features, unknown_stage)]
    assert [error.code for error in errors if error] == ["match-not-found", "invalid-request", "stage-not-found"]
    assert errors[1] is not None
    assert errors[1].errors[0]["pointer"] == "/features/elo_difference"
    assert worker.lanes.dead_letters == []
