"""A worker with an open circuit: it neither drains a lane nor spends attempts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from matchcast.adapters.in_memory import InMemoryLanes, InMemoryTasks
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, SNAPSHOT_MANIFEST_KEY
from matchcast.domain.task import Task, TaskStatus
from matchcast.errors import StorageUnavailable
from matchcast.messages import encode
from matchcast.tasks.circuit_breaker import FAILURES_TO_OPEN, REST_SECONDS, TABLE, CircuitBreaker
from matchcast.tasks.run import RunPredictions
from matchcast.tasks.settle import RENEW_AFTER_RECEIVES, Outcome
from tests.support.breakers import CHAMPION, Clock, opened
from tests.support.releases import MATCHES, Release
from tests.support.run_predictions import Unsteady
from tests.support.tasks import NOW, a_delivery, a_task


@dataclass
class Worker:
    """A worker with a breaker of its own, whose model store can be broken."""

    clock: Clock = field(default_factory=Clock)
    release: Release = field(default_factory=Release)
    tasks: InMemoryTasks = field(default_factory=InMemoryTasks)
    lanes: InMemoryLanes = field(default_factory=InMemoryLanes)

    def __post_init__(self) -> None:
        self.breaker = CircuitBreaker(monotonic=self.clock)
        good = self.release.objects.get(MODEL_MANIFEST_KEY)
        assert good is not None
        self._good = good.body

    def __call__(self, *tasks: Task, receives: int = 1) -> list[Outcome]:
        with ThreadPoolExecutor(2) as threads:
            predictions = RunPredictions(
                predictor=self.release.predictor(),
                tasks=self.tasks,
                lanes=self.lanes,
                threads=threads,
                breaker=self.breaker,
                now=lambda: NOW,
                max_attempts=3,
            )
            received = [a_delivery(task, number=n) for n, task in enumerate(tasks)]
            return predictions.run(
                [type(one)(one.message_id, one.receipt_handle, one.body, one.lane, receives) for one in received]
            )

    def break_models(self) -> None:
        self.release.objects.put(MODEL_MANIFEST_KEY, b"{")

    def mend_models(self) -> None:
        self.release = Release()

    def attempts(self, *tasks: Task) -> list[int]:
        return [task.attempts for task in self.tasks.get_many([task.task_id for task in tasks]).values()]


def queued(worker: Worker, number: int, **changes: object) -> list[Task]:
    tasks = [a_task(**{"match_id": next(iter(MATCHES)), **changes}) for _ in range(number)]
    for task in tasks:
        worker.tasks.create(task)
    return tasks


def test_a_broken_model_spends_the_attempts_of_a_few_receives_and_of_no_more() -> None:
    # GIVEN a worker whose breaker was opened by a broken model
    worker = Worker()
    worker.break_models()
    victims, spared = queued(worker, FAILURES_TO_OPEN), queued(worker, 20)
    first = [worker(task) for task in victims]

    # WHEN more tasks come
    outcomes = [worker(task) for task in spared]

    # THEN
    # The receive that opens the breaker knows already that the service, and not its task, is at fault.
    assert worker.attempts(*victims) == [1] * (FAILURES_TO_OPEN - 1) + [0]
    assert worker.attempts(*spared) == [0] * 20
    assert not any(outcome.done for (outcome,) in outcomes)
    problems = {outcome.problem and outcome.problem.code for (outcome,) in (*first, *outcomes)}
    assert problems == {"model-unavailable"}
    assert worker.lanes.dead_letters == []


def test_a_resting_worker_keeps_its_messages_for_longer_each_time_they_come() -> None:
    # GIVEN a worker whose breaker is open
    worker = Worker()
    worker.break_models()
    for task in queued(worker, FAILURES_TO_OPEN):
        worker(task)
    (task,) = queued(worker, 1)
    worker.lanes.postponed.clear()

    # WHEN one message comes again and again
    for receives in (1, 2, 5, 9):
        worker(task, receives=receives)

    # THEN
    seconds = [seconds for _, _, seconds in worker.lanes.postponed]
    assert seconds[0] == 10
    assert 20 <= seconds[1] <= 30
    assert 160 <= seconds[2] <= 240
    assert 600 <= seconds[3] <= 900


def test_a_message_that_a_resting_worker_received_often_is_replaced_by_a_copy() -> None:
    # GIVEN a worker whose breaker is open
    worker = Worker()
    worker.break_models()
    for task in queued(worker, FAILURES_TO_OPEN):
        worker(task)
    (task,) = queued(worker, 1)

    # WHEN a message comes for the tenth time
    (outcome,) = worker(task, receives=RENEW_AFTER_RECEIVES)

    # THEN it is deleted, and a copy of it comes later
    assert (outcome.done, outcome.task, outcome.problem is None) == (True, None, False)
    assert worker.lanes.sent == [(task.priority, encode(task), 900)]
    assert worker.attempts(task) == [0]


def test_a_model_that_is_mended_is_noticed_after_a_rest() -> None:
    # GIVEN an open breaker whose model was mended since
    worker = Worker()
    worker.break_models()
    for task in queued(worker, FAILURES_TO_OPEN):
        worker(task)
    worker.mend_models()
    (task,) = queued(worker, 1)
    assert not worker(task)[0].done

    # WHEN it has rested
    worker.clock.seconds += REST_SECONDS

    # THEN
    assert worker(task)[0].done
    assert not worker.breaker.is_open(CHAMPION)


@pytest.mark.parametrize("stage", ["champion", "nowhere"])
def test_a_receive_in_which_anything_was_answered_is_no_failure_of_the_service(stage: str) -> None:
    worker = Worker()

    for task in queued(worker, FAILURES_TO_OPEN, match_id="e0-2020-01-01-no-body", stage=stage):
        worker(task)

    assert not worker.breaker.is_open(CHAMPION)
    tasks = worker.tasks.get_many(worker.tasks.list_ids("north", None, 100).ids).values()
    assert {task.status for task in tasks} == {TaskStatus.FAILED}


@pytest.mark.parametrize("call", ["get_many", "finish"])
def test_a_table_out_of_reach_is_left_alone_after_a_few_receives(call: str) -> None:
    # GIVEN a worker whose table did not answer to a few receives
    table = Unsteady()
    worker = Worker(tasks=table)
    tasks = queued(worker, FAILURES_TO_OPEN + 1)
    table.down = {call}
    for task in tasks[:-1]:
        worker(task)
    table.down, worker.release.model.calls[:] = set(), []

    # WHEN the next message comes, and comes again after a rest
    early = worker(tasks[-1])
    calls = list(worker.release.model.calls)
    worker.clock.seconds += REST_SECONDS
    late = worker(tasks[-1])

    # THEN the table was asked only after the rest
    assert [outcome.done for outcome in (*early, *late)] == [False, True]
    assert calls == []
    assert not worker.breaker.is_open(TABLE)


def test_one_write_that_is_refused_at_each_receive_is_no_outage_of_the_table() -> None:
    # GIVEN
    class Picky(InMemoryTasks):
        """A table that does not take the end of one kind of task."""

        def finish(self, task: Task) -> bool:
            if task.batch_id == "bad":
                raise StorageUnavailable("no finish")
            return super().finish(task)

    worker = Worker(tasks=Picky())

    # WHEN such a task is in every receive
    for _ in range(FAILURES_TO_OPEN + 1):
        outcomes = worker(*queued(worker, 1), *queued(worker, 1, batch_id="bad"))

    # THEN
    assert sorted(outcome.done for outcome in outcomes) == [False, True]
    assert not worker.breaker.is_open(TABLE)


def test_a_stage_that_is_broken_is_no_outage_of_the_table() -> None:
    worker = Worker()
    worker.break_models()

    for task in queued(worker, FAILURES_TO_OPEN):
        worker(task)

    assert (worker.breaker.is_open(CHAMPION), worker.breaker.is_open(TABLE)) == (True, False)


def test_a_stage_that_answers_one_message_of_each_receive_is_not_broken() -> None:
    # GIVEN a snapshot that cannot be read, so that only tasks with features of their own can be answered
    worker = Worker()
    worker.release.objects.put(SNAPSHOT_MANIFEST_KEY, b"{")
    features = {"elo_difference": 1.0, "form": 0.5}

    # WHEN every receive has one of these
    for _ in range(FAILURES_TO_OPEN + 1):
        outcomes = worker(*queued(worker, 2), *queued(worker, 1, match_id=None, features=features))

    # THEN
    assert sorted(outcome.done for outcome in outcomes) == [False, False, True]
    assert not worker.breaker.is_open(CHAMPION)


def test_poison_is_buried_even_while_the_worker_rests() -> None:
    # GIVEN a worker whose breaker is open
    worker = Worker()
    worker.breaker = opened(worker.clock)
    task = a_task()
    with ThreadPoolExecutor(1) as threads:
        predictions = RunPredictions(
            predictor=worker.release.predictor(),
            tasks=worker.tasks,
            lanes=worker.lanes,
            threads=threads,
            breaker=worker.breaker,
            now=lambda: NOW,
            max_attempts=3,
        )

        # WHEN poison and a task come
        ran = predictions.run([a_delivery("x", number=1), a_delivery(task, number=2)])
        outcomes = {one.message_id: one.done for one in ran}
    # THEN
    assert outcomes == {"message-1": True, "message-2": False}
    assert [letter.cause for letter in worker.lanes.dead_letters] == ["invalid-message"]
