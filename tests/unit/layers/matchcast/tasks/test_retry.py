"""Retry: the request of a task that ended without a result, once more as a new task."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from matchcast.adapters.in_memory import InMemoryKeys, InMemoryLanes, InMemoryTasks
from matchcast.domain.task import Priority, Task, TaskError, TaskStatus
from matchcast.errors import Conflict, MatchNotFound, TaskGone, TaskNotFound
from matchcast.tasks.accept import IdempotencyKey
from matchcast.tasks.retry import RetryTask
from matchcast.tasks.track import TrackTasks
from tests.support.releases import MATCHES
from tests.support.submissions import a_submit
from tests.support.tasks import NOW, a_prediction, a_task

MATCH = next(iter(MATCHES))
KEY = IdempotencyKey("k", "fingerprint")
REASON = TaskError(code="model-failed", detail="It failed.")


@dataclass
class Desk:
    tasks: InMemoryTasks = field(default_factory=InMemoryTasks)
    lanes: InMemoryLanes = field(default_factory=InMemoryLanes)
    keys: InMemoryKeys = field(default_factory=InMemoryKeys)
    now: datetime = NOW

    def __call__(self, task: Task, key: IdempotencyKey | None = None, tenant: str = "north") -> Task:
        track = TrackTasks(self.tasks, self.tasks, lambda: self.now)
        submit = a_submit(tasks=self.tasks, lanes=self.lanes, keys=self.keys, now=lambda: self.now)
        return RetryTask(track, submit).retry(tenant, task.task_id, key)[0]

    def put(self, **changes: object) -> Task:
        task = a_task(**{"match_id": MATCH, **changes})
        self.tasks.create(task)
        return task


@pytest.mark.parametrize("status", [TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.EXPIRED])
def test_a_task_without_a_result_is_tried_again_as_a_new_one(status: TaskStatus) -> None:
    # GIVEN a task that ended without a result
    desk = Desk()
    old = desk.put(status=status, error=REASON, attempts=3, generation=2, priority=Priority.HIGH)

    # WHEN
    new = desk(old)

    # THEN
    assert new.task_id != old.task_id
    assert (new.retry_of, new.status, new.attempts, new.generation, new.error) == (
        old.task_id,
        TaskStatus.QUEUED,
        0,
        0,
        None,
    )
    assert (new.match_id, new.stage, new.priority) == (MATCH, "champion", Priority.HIGH)
    assert len(desk.lanes.sent) == 1
    assert desk.tasks.get_many([old.task_id])[old.task_id] == old


def test_the_callers_features_are_sent_again() -> None:
    desk = Desk()
    features = {"elo_difference": 12.5, "form": 1}

    assert desk(desk.put(match_id=None, features=features, status=TaskStatus.FAILED)).features == features


def test_a_task_that_was_not_started_in_time_is_tried_again_with_as_much_time() -> None:
    desk = Desk()
    old = desk.put(created_at=NOW - timedelta(minutes=10), start_by=NOW - timedelta(minutes=9))

    new = desk(old)

    assert new.start_by == NOW + timedelta(minutes=1)
    assert desk.tasks.get_many([old.task_id])[old.task_id].status is TaskStatus.EXPIRED


@pytest.mark.parametrize(
    "changes", [{}, {"status": TaskStatus.SUCCEEDED, "result": a_prediction()}], ids=["queued", "succeeded"]
)
def test_a_task_that_is_queued_or_has_a_result_is_not_tried_again(changes: dict[str, object]) -> None:
    desk = Desk()
    old = desk.put(**changes)

    with pytest.raises(Conflict, match=str(old.status)):
        desk(old)

    assert desk.lanes.sent == []


def test_a_task_that_cannot_be_read_is_not_tried_again() -> None:
    # GIVEN
    desk = Desk()
    failed = desk.put(status=TaskStatus.FAILED)

    # WHEN another tenant asks, or the task is unknown or expired
    # THEN
    with pytest.raises(TaskNotFound):
        desk(failed, tenant="south")
    with pytest.raises(TaskNotFound):
        desk(a_task())
    with pytest.raises(TaskGone):
        desk(desk.put(status=TaskStatus.FAILED, expires_at=NOW))


def test_a_match_that_the_snapshot_no_longer_has_is_refused_at_once() -> None:
    desk = Desk()

    with pytest.raises(MatchNotFound):
        desk(desk.put(match_id="e0-2020-01-01-no-body", status=TaskStatus.FAILED))


def test_the_same_key_gives_the_same_new_task() -> None:
    desk = Desk()
    old = desk.put(status=TaskStatus.FAILED)

    assert desk(old, KEY).task_id == desk(old, KEY).task_id
    assert len(desk.lanes.sent) == 1


def test_what_became_of_the_old_task_changes_nothing_for_a_key_that_was_answered() -> None:
    desk = Desk()
    old = desk.put(status=TaskStatus.FAILED)
    new = desk(old, KEY)

    # WHEN an operator has redriven the old task meanwhile
    desk.tasks.supersede(old.model_copy(update={"status": TaskStatus.QUEUED, "generation": 1}))
    # THEN the key has the same answer, and a request without it is refused
    assert desk(old, KEY) == new
    with pytest.raises(Conflict):
        desk(old)

    # WHEN the old task has expired before the new one, THEN the key still has the same answer
    desk.tasks._tasks[old.task_id] = old.model_copy(update={"expires_at": NOW})
    assert desk(old, KEY) == new
