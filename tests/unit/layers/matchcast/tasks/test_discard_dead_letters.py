"""Discarding: a letter is deleted, and its task fails if it is still open."""

from __future__ import annotations

from datetime import timedelta

import pytest

from matchcast.adapters.in_memory import InMemoryLanes, InMemoryTasks
from matchcast.domain.task import Priority, Task, TaskStatus
from matchcast.errors import StorageUnavailable
from matchcast.messages import encode
from matchcast.ports import DeadLetter
from matchcast.tasks.dead_letters import DEAD_LETTERED, Discard, DiscardDeadLetters, Redrive, RedriveDeadLetters
from tests.support.tasks import NOW, a_prediction, a_task


class Desk:
    def __init__(self, tasks: InMemoryTasks | None = None) -> None:
        self.tasks, self.lanes = tasks or InMemoryTasks(), InMemoryLanes()
        self.use_case = DiscardDeadLetters(letters=self.lanes, tasks=self.tasks, now=lambda: NOW)

    def bury(self, body: Task | str) -> DeadLetter:
        self.lanes.bury(Priority.NORMAL, body if isinstance(body, str) else encode(body), None, None)
        return self.lanes.dead_letters[-1]

    def read(self, task: Task) -> Task:
        return self.tasks.get_many([task.task_id])[task.task_id]


def test_a_task_that_no_sweep_failed_yet_fails_with_its_letter() -> None:
    # GIVEN a letter whose task is still queued
    desk, task = Desk(), a_task()
    desk.tasks.create(task)
    letter = desk.bury(task)

    # WHEN its discard is planned
    # THEN nothing changes
    assert desk.use_case.plan(letter)[0] is Discard.TASK_FAILED
    assert desk.read(task).status is TaskStatus.QUEUED  # a plan changes nothing

    # WHEN it is discarded
    assert desk.use_case.discard(letter) is Discard.TASK_FAILED

    # THEN
    failed = desk.read(task)
    assert (failed.status, failed.error, failed.completed_at) == (TaskStatus.FAILED, DEAD_LETTERED, NOW)
    assert failed.generation == 1  # no late redrive of the letter can queue it
    assert desk.lanes.dead_letters == []


def test_a_task_that_an_interrupted_redrive_reopened_fails_with_its_letter() -> None:
    desk, task = Desk(), a_task()
    desk.tasks.create(task.model_copy(update={"generation": 1}))
    letter = desk.bury(task)

    assert desk.use_case.discard(letter) is Discard.TASK_FAILED

    assert (desk.read(task).status, desk.read(task).generation) == (TaskStatus.FAILED, 1)


@pytest.mark.parametrize(
    "state",
    [
        {"status": TaskStatus.FAILED, "generation": 1},
        {"status": TaskStatus.SUCCEEDED, "result": a_prediction()},
        {"status": TaskStatus.CANCELLED},
        {"generation": 2},
    ],
)
def test_a_task_that_is_over_or_further_on_is_left_alone(state: dict[str, object]) -> None:
    desk, task = Desk(), a_task()
    present = task.model_copy(update=state)
    desk.tasks.create(present)

    assert desk.use_case.discard(desk.bury(task)) is Discard.DISCARDED

    assert desk.read(task) == present
    assert desk.lanes.dead_letters == []


def test_a_late_redrive_of_a_discarded_letter_queues_nothing() -> None:
    # GIVEN the letter of a failed task, and an operator whose redrive stands still right before its write
    class Late(InMemoryTasks):
        def supersede(self, task: Task) -> bool:
            if task.status is TaskStatus.QUEUED and desk.lanes.dead_letters:
                assert desk.use_case.discard(letter) is Discard.DISCARDED
            return super().supersede(task)

    desk, task = Desk(Late()), a_task()
    failed = {"status": TaskStatus.FAILED, "error": DEAD_LETTERED, "completed_at": NOW}
    desk.tasks.create(task.model_copy(update=failed))
    letter = desk.bury(task)
    redrive = RedriveDeadLetters(
        letters=desk.lanes, tasks=desk.tasks, lanes=desk.lanes, now=lambda: NOW, lifetime=timedelta(hours=1)
    )

    # WHEN another one discards the letter meanwhile
    # THEN the redrive finds the task given up, as its reader sees it: failed, as it was
    assert redrive.redrive(letter) is Redrive.MOVED_ON
    assert desk.lanes.sent == []
    assert desk.read(task) == task.model_copy(update={**failed, "generation": 1})


def test_a_redrive_between_the_look_and_the_write_of_a_discard_is_discarded_too() -> None:
    # GIVEN the letter of a failed task
    class Reopening(InMemoryTasks):
        """A table in which a redrive reopens the task right before the discard gives it up."""

        def supersede(self, task: Task) -> bool:
            if task.status is TaskStatus.FAILED:
                super().supersede(task.model_copy(update={"status": TaskStatus.QUEUED, "error": None}))
            return super().supersede(task)

    desk, task = Desk(Reopening()), a_task()
    desk.tasks.create(task.model_copy(update={"status": TaskStatus.FAILED, "error": DEAD_LETTERED}))

    # WHEN it is discarded
    assert desk.use_case.discard(desk.bury(task)) is Discard.TASK_FAILED

    # THEN
    assert (desk.read(task).status, desk.read(task).generation) == (TaskStatus.FAILED, 1)


def test_an_unreadable_letter_is_just_deleted() -> None:
    desk = Desk()

    assert desk.use_case.discard(desk.bury("no json")) is Discard.DISCARDED

    assert desk.lanes.dead_letters == []


def test_a_letter_stays_where_its_task_could_not_be_failed() -> None:
    # GIVEN a letter whose task cannot be written
    class Down(InMemoryTasks):
        def finish(self, task: Task) -> bool:
            raise StorageUnavailable("no finish")

    desk, task = Desk(Down()), a_task()
    desk.tasks.create(task)
    letter = desk.bury(task)

    # WHEN it is discarded
    with pytest.raises(StorageUnavailable):
        desk.use_case.discard(letter)

    # THEN
    assert desk.lanes.dead_letters == [letter]


def test_a_task_that_ends_meanwhile_keeps_its_end() -> None:
    # GIVEN a letter whose task succeeds right before it is failed
    class Ending(InMemoryTasks):
        def finish(self, task: Task) -> bool:
            super().finish(a_task(task_id=task.task_id, status=TaskStatus.SUCCEEDED, result=a_prediction()))
            return super().finish(task)

    desk, task = Desk(Ending()), a_task()
    desk.tasks.create(task)

    # WHEN it is discarded
    assert desk.use_case.discard(desk.bury(task)) is Discard.DISCARDED

    # THEN
    assert desk.read(task).status is TaskStatus.SUCCEEDED
