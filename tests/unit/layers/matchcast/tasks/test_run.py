"""The worker: receives become final results, once, and nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pytest

from matchcast.adapters.in_memory import InMemoryLanes, InMemoryTasks
from matchcast.domain.manifests import MODEL_MANIFEST_KEY
from matchcast.domain.task import Priority, Task, TaskStatus
from matchcast.errors import QueueUnavailable, StorageUnavailable
from matchcast.messages import encode
from matchcast.ports import Received
from matchcast.tasks.circuit_breaker import CircuitBreaker
from matchcast.tasks.run import Outcome, RunPredictions
from tests.support.releases import MATCHES, Release
from tests.support.tasks import NOW, a_delivery, a_task

MATCH = next(iter(MATCHES))


@dataclass
class Unsteady(InMemoryTasks):
    """A table of which some calls do not come through."""

    down: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        InMemoryTasks.__init__(self)

    def get_many(self, task_ids: Sequence[str]) -> Mapping[str, Task]:
        self._check("get_many")
        return super().get_many(task_ids)

    def finish(self, task: Task) -> bool:
        self._check("finish")
        return super().finish(task)

    def record_attempt(self, task: Task) -> int | None:
        self._check("record_attempt")
        return super().record_attempt(task)

    def _check(self, call: str) -> None:
        if call in self.down:
            raise StorageUnavailable(f"no {call}")


@dataclass
class Lanes(InMemoryLanes):
    """Lanes whose dead letters can be out of reach."""

    down: bool = False

    def bury(self, lane: Priority, body: str, cause: str | None, task_id: str | None) -> None:
        if self.down:
            raise QueueUnavailable("no bury")
        super().bury(lane, body, cause, task_id)


@dataclass
class Worker:
    release: Release = field(default_factory=Release)
    tasks: Unsteady = field(default_factory=Unsteady)
    lanes: Lanes = field(default_factory=Lanes)

    def __call__(self, *receive: Received) -> dict[str, Outcome]:
        with ThreadPoolExecutor(4) as threads:
            predictions = RunPredictions(
                predictor=self.release.predictor(),
                tasks=self.tasks,
                lanes=self.lanes,
                threads=threads,
                now=lambda: NOW,
                breaker=CircuitBreaker(),
                max_attempts=3,
            )
            outcomes = predictions.run(receive)
        assert sorted(outcome.message_id for outcome in outcomes) == sorted(message.message_id for message in receive)
        return {outcome.message_id: outcome for outcome in outcomes}

    def task(self, task: Task) -> Task:
        return self.tasks.get_many([task.task_id])[task.task_id]

    def break_model_store(self) -> None:
        self.release.objects.put(MODEL_MANIFEST_KEY, b"{")


def queued(worker: Worker, number: int, **changes: object) -> list[Task]:
    tasks = [a_task(**{"match_id": MATCH, **changes}) for _ in range(number)]
    for task in tasks:
        worker.tasks.create(task)
    return tasks


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


@pytest.mark.parametrize("body", ["no json", "[]", '{"version": 99}'])
def test_a_poisoned_message_is_buried_with_its_cause_and_stops_no_other_message(body: str) -> None:
    # GIVEN
    worker = Worker()
    (task,) = queued(worker, 1)

    # WHEN poison and a task are received together
    outcomes = worker(a_delivery(body, lane=Priority.HIGH, number=1), a_delivery(task, number=2))

    # THEN
    assert [(letter.lane, letter.body, letter.cause) for letter in worker.lanes.dead_letters] == [
        (Priority.HIGH, body, "invalid-message")
    ]
    assert all(outcome.done for outcome in outcomes.values())
    assert worker.task(task).status is TaskStatus.SUCCEEDED


def test_a_poisoned_message_that_cannot_be_buried_comes_again() -> None:
    worker = Worker(lanes=Lanes(down=True))

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


def test_a_task_whose_burial_fails_is_kept_queued_with_its_message() -> None:
    worker = Worker(lanes=Lanes(down=True))
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
