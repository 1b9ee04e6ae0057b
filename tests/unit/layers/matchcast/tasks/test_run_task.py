"""A task whose client waits: predicted at once, with the same end for every reader."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from matchcast.adapters.in_memory import InMemoryKeys, InMemoryLanes, InMemoryResults, InMemoryTasks
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, SNAPSHOT_MANIFEST_KEY
from matchcast.domain.prediction import Prediction, Subject
from matchcast.domain.task import Task, TaskStatus
from matchcast.errors import (
    DeadlineExceeded,
    InferenceUnavailable,
    MatchcastError,
    MatchNotFound,
    ModelFailed,
    QueueUnavailable,
    TaskOver,
    Transient,
)
from matchcast.predictions.predict_now import SAFETY_NET_SECONDS, PredictNow
from matchcast.predictions.predictor import Answer
from matchcast.predictions.result_cache import CachedResults
from matchcast.tasks.accept import IdempotencyKey
from matchcast.tasks.circuit_breaker import CircuitBreaker
from matchcast.tasks.run import RunPredictions
from tests.support.releases import MATCHES, Release
from tests.support.submissions import a_submit
from tests.support.tasks import NOW, a_prediction, a_task

MATCH = next(iter(MATCHES))


class Inference:
    """The worker's side of a waiting request, in this process; `error` is raised instead of an answer."""

    def __init__(self, tasks: InMemoryTasks) -> None:
        self.release = Release()
        self.tasks = tasks
        self.waits: list[timedelta] = []
        self.error: Exception | None = None

    def run(self, task: Task) -> Answer:
        with ThreadPoolExecutor(1) as threads:
            return RunPredictions(
                predictor=self.release.predictor(),
                tasks=self.tasks,
                lanes=InMemoryLanes(),
                threads=threads,
                breaker=CircuitBreaker(),
                now=lambda: NOW,
                max_attempts=3,
            ).run_task(task)

    def run_task(self, task: Task, *, wait_until: datetime) -> Prediction:
        self.waits.append(wait_until - NOW)
        answer = self.error or self.run(task)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_the_result_that_a_waiting_client_gets_is_the_tasks() -> None:
    tasks, task = InMemoryTasks(), a_task(match_id=MATCH)
    tasks.create(task)

    answer = Inference(tasks).run(task)

    assert isinstance(answer, Prediction)
    record = tasks.get_many([task.task_id])[task.task_id]
    assert (record.status, record.result) == (TaskStatus.SUCCEEDED, answer)


def test_where_a_worker_was_faster_its_result_is_the_answer() -> None:
    tasks, task = InMemoryTasks(), a_task(match_id=MATCH)
    tasks.create(task)
    workers = a_prediction(match_id=MATCH, duration_ms=77.0)
    tasks.finish(task.model_copy(update={"status": TaskStatus.SUCCEEDED, "result": workers}))

    assert Inference(tasks).run(task) == workers


@pytest.mark.parametrize("status", [TaskStatus.CANCELLED, TaskStatus.FAILED, TaskStatus.EXPIRED])
def test_a_task_that_ended_without_a_result_meanwhile_is_not_answered_with_one(status: TaskStatus) -> None:
    tasks, task = InMemoryTasks(), a_task(match_id=MATCH)
    tasks.create(task)
    tasks.finish(task.model_copy(update={"status": status}))

    assert isinstance(Inference(tasks).run(task), TaskOver)


def test_a_task_that_ended_and_was_forgotten_meanwhile_is_over() -> None:
    # GIVEN
    class Forgetful(InMemoryTasks):
        """A table that deletes a task right after another worker ended it."""

        def finish(self, task: Task) -> bool:
            self._tasks.clear()
            return False

    # WHEN such a task is run
    answer = Inference(Forgetful()).run(a_task(match_id=MATCH))

    # THEN
    assert isinstance(answer, TaskOver)


def test_what_the_client_got_wrong_fails_the_task_at_once() -> None:
    tasks, task = InMemoryTasks(), a_task(match_id="e0-2020-01-01-no-body")

    assert isinstance(Inference(tasks).run(task), MatchNotFound)
    assert tasks.get_many([task.task_id])[task.task_id].status is TaskStatus.FAILED


def test_a_passing_fault_leaves_the_task_to_its_message() -> None:
    # GIVEN a task, and a manifest that cannot be read
    tasks, task = InMemoryTasks(), a_task(match_id=MATCH)
    tasks.create(task)
    inference = Inference(tasks)
    inference.release.objects.put(MODEL_MANIFEST_KEY, b"{")

    # WHEN the task is run
    with pytest.raises(Transient):
        inference.run(task)

    # THEN
    assert tasks.get_many([task.task_id])[task.task_id] == task


def test_a_fault_of_the_service_leaves_the_task_to_its_message_as_well() -> None:
    # GIVEN a task, and a model that fails
    tasks, task = InMemoryTasks(), a_task(match_id=MATCH)
    tasks.create(task)
    inference = Inference(tasks)
    inference.release.model.broken = True

    # WHEN the task is run
    answer = inference.run(task)

    # THEN its worker counts the attempt, and buries the message with its cause
    assert isinstance(answer, ModelFailed)
    assert tasks.get_many([task.task_id])[task.task_id] == task


def test_features_out_of_reach_leave_the_task_to_its_message_as_well() -> None:
    # GIVEN a task, and a snapshot that cannot be read
    tasks, task = InMemoryTasks(), a_task(match_id=MATCH)
    tasks.create(task)
    inference = Inference(tasks)
    inference.release.objects.put(SNAPSHOT_MANIFEST_KEY, b"{")

    # WHEN the task is run
    answer = inference.run(task)

    # THEN
    assert isinstance(answer, Transient)
    assert tasks.get_many([task.task_id])[task.task_id] == task


class Desk:
    def __init__(self) -> None:
        self.tasks, self.lanes, self.keys = InMemoryTasks(), InMemoryLanes(), InMemoryKeys()
        self.inference = Inference(self.tasks)
        release = Release()
        submit = a_submit(tasks=self.tasks, lanes=self.lanes, keys=self.keys)
        results = CachedResults(
            cache=InMemoryResults(),
            models=release.models,
            snapshots=release.snapshots,
            now=lambda: NOW,
            lifetime=timedelta(hours=1),
            count=lambda _: None,
        )
        self.predict = PredictNow(
            inference=self.inference,  # type: ignore[arg-type]
            results=results,
            submit=lambda: submit,
            now=lambda: NOW,
        )

    @property
    def delays(self) -> list[int]:
        return [delay for _, _, delay in self.lanes.sent]

    def __call__(self, wait: int, key: IdempotencyKey | None = None) -> Prediction | Task:
        subject, deadline = Subject(match_id=MATCH), NOW + timedelta(seconds=28)
        until = min(deadline, NOW + timedelta(seconds=wait)) if wait else None
        return self.predict.predict_or_submit("north", "champion", subject, wait_until=until, key=key)[0]


def test_a_client_waits_no_longer_than_it_asked_for_and_than_its_request_may_take() -> None:
    desk = Desk()

    assert isinstance(desk(5), Prediction)
    assert isinstance(desk(60), Prediction)
    assert desk.inference.waits == [timedelta(seconds=5), timedelta(seconds=28)]
    assert desk.delays == [SAFETY_NET_SECONDS] * 2


def test_a_task_that_went_another_way_meanwhile_is_answered_as_a_task() -> None:
    desk = Desk()
    desk.inference.error = TaskOver("cancelled meanwhile")

    assert isinstance(desk(5), Task)
    assert desk.delays == [SAFETY_NET_SECONDS]


@pytest.mark.parametrize("error", [InferenceUnavailable("not invoked"), Transient("no model"), ModelFailed("crashed")])
def test_the_message_of_a_task_that_nothing_works_on_comes_at_once(error: MatchcastError) -> None:
    desk = Desk()
    desk.inference.error = error

    assert isinstance(desk(5), Task)
    assert desk.delays == [SAFETY_NET_SECONDS, 0]


def test_an_inference_that_goes_on_needs_no_other_message() -> None:
    desk = Desk()
    desk.inference.error = DeadlineExceeded("it goes on")

    assert isinstance(desk(5), Task)
    assert desk.delays == [SAFETY_NET_SECONDS]


def test_a_repeated_request_sends_no_message_at_all() -> None:
    desk, key = Desk(), IdempotencyKey("once", "print")
    desk.inference.error = InferenceUnavailable("not invoked")

    assert [isinstance(desk(5, key), Task) for _ in range(3)] == [True] * 3
    assert desk.delays == [SAFETY_NET_SECONDS, 0]


def test_a_queue_that_fails_meanwhile_changes_nothing() -> None:
    # GIVEN an inference that is not asked, and a queue that takes the first message alone
    desk = Desk()
    desk.inference.error = InferenceUnavailable("not invoked")
    send = desk.lanes.send

    def send_first(task: Task, delay_seconds: int = 0) -> None:
        if desk.lanes.sent:
            raise QueueUnavailable("no answer")
        send(task, delay_seconds)

    desk.lanes.send = send_first  # type: ignore[method-assign]

    # WHEN
    answer = desk(5)

    # THEN the task is accepted: its first message will come
    assert isinstance(answer, Task)
    assert desk.delays == [SAFETY_NET_SECONDS]


def test_a_client_that_does_not_wait_gets_a_task_that_nothing_holds_back() -> None:
    desk = Desk()

    assert isinstance(desk(0), Task)
    assert (desk.delays, desk.inference.waits) == ([0], [])
