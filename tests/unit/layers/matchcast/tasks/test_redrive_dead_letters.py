"""Redrive: another life for a dead letter's task, under the same id and in its next generation."""

from __future__ import annotations

import pytest

from matchcast.domain.task import Priority, TaskStatus
from matchcast.tasks.dead_letters import Redrive
from tests.support.redrives import LIFETIME, REASON, Desk, a_failed_task
from tests.support.tasks import NOW, a_prediction, a_task


def test_a_failed_task_is_queued_again_in_its_next_generation_with_a_new_lifetime() -> None:
    # GIVEN
    desk = Desk()
    task, letter = a_failed_task(desk)

    # WHEN
    assert desk.use_case.redrive(letter) is Redrive.REDRIVEN

    # THEN
    again = desk.read(task)
    assert (again.status, again.generation, again.attempts) == (TaskStatus.QUEUED, 1, 0)
    assert (again.error, again.completed_at, again.start_by, again.expires_at) == (None, None, None, NOW + LIFETIME)
    assert (again.task_id, again.created_at, again.match_id) == (task.task_id, task.created_at, task.match_id)
    assert desk.sent == [again]
    assert [lane for lane, _, _ in desk.lanes.sent] == [Priority.HIGH]
    assert desk.lanes.dead_letters == []


def test_a_plan_says_what_would_happen_and_changes_nothing() -> None:
    desk = Desk()
    task, letter = a_failed_task(desk)
    before = desk.read(task)

    outcome, planned = desk.use_case.plan(letter)

    assert (outcome, planned.generation if planned else None) == (Redrive.REDRIVEN, 1)
    assert (desk.read(task), desk.sent, desk.lanes.dead_letters) == (before, [], [letter])


@pytest.mark.parametrize("cause", [None, "model-unavailable"])
def test_a_task_that_no_sweep_failed_yet_is_redriven_into_its_next_generation_too(cause: str | None) -> None:
    # GIVEN a letter whose task is still queued: not swept yet, or its worker is about to fail it
    desk = Desk()
    task = a_task()
    desk.tasks.create(task)
    letter = desk.bury(task, cause)

    # WHEN it is redriven
    assert desk.use_case.redrive(letter) is Redrive.REDRIVEN

    # THEN what the worker of the last generation writes comes too late
    assert not desk.tasks.finish(task.model_copy(update={"status": TaskStatus.FAILED, "error": REASON}))
    assert (desk.read(task).status, desk.read(task).generation) == (TaskStatus.QUEUED, 1)
    assert [sent.generation for sent in desk.sent] == [1]


@pytest.mark.parametrize("changes", [{"status": TaskStatus.SUCCEEDED, "result": a_prediction()}, {"generation": 2}])
def test_the_letter_of_a_task_that_moved_on_is_only_deleted(changes: dict[str, object]) -> None:
    desk = Desk()
    task = a_task()
    desk.tasks.create(task.model_copy(update=changes))
    letter = desk.bury(task)
    before = desk.read(task)

    assert desk.use_case.redrive(letter) is Redrive.MOVED_ON
    assert (desk.read(task), desk.sent, desk.lanes.dead_letters) == (before, [], [])


@pytest.mark.parametrize("status", [TaskStatus.CANCELLED, TaskStatus.EXPIRED])
def test_a_cancelled_or_expired_task_is_not_redriven(status: TaskStatus) -> None:
    desk = Desk()
    task = a_task()
    desk.tasks.create(task.model_copy(update={"status": status}))

    assert desk.use_case.redrive(desk.bury(task)) is Redrive.MOVED_ON
    assert desk.sent == []


@pytest.mark.parametrize("body", ["no json", '{"version":99}', "a task without a record"])
def test_a_letter_without_a_task_stays(body: str) -> None:
    desk = Desk()
    letter = desk.bury(a_task() if body.startswith("a task") else body)

    assert desk.use_case.plan(letter) == (Redrive.NO_TASK, None)
    assert desk.use_case.redrive(letter) is Redrive.NO_TASK
    assert desk.lanes.dead_letters == [letter]
