"""The sweep: tasks whose messages the queue dead-lettered fail, and their letters stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from matchcast.adapters.in_memory import InMemoryLanes, InMemoryTasks
from matchcast.domain.task import Priority, Task, TaskStatus
from matchcast.messages import encode
from matchcast.ports import DeadLetter
from matchcast.tasks.dead_letters import DEAD_LETTERED, SweepDeadLetters, Swept
from tests.support.tasks import NOW, a_prediction, a_task


@dataclass
class Hiding(InMemoryLanes):
    """Dead letters that remember which were hidden and which were released."""

    hidden: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)

    def receive(self, lane: Priority, hide_seconds: int) -> Iterator[DeadLetter]:
        for letter in super().receive(lane, hide_seconds):
            assert self.released == [], "a letter that is released at once would come again"
            self.hidden.append(letter.message_id)
            yield letter

    def release(self, letter: DeadLetter) -> None:
        self.released.append(letter.message_id)


@dataclass
class Desk:
    tasks: InMemoryTasks = field(default_factory=InMemoryTasks)
    lanes: Hiding = field(default_factory=Hiding)

    def __call__(self) -> Swept:
        return SweepDeadLetters(self.lanes, self.tasks, lambda: NOW).sweep()

    def bury(self, task: Task, cause: str | None = None) -> Task:
        self.lanes.bury(task.priority, encode(task), cause, task.task_id)
        return task

    def read(self, task: Task) -> Task:
        return self.tasks.get_many([task.task_id])[task.task_id]


@pytest.mark.parametrize("lane", list(Priority))
def test_the_task_of_a_letter_without_a_cause_has_failed_and_says_why(lane: Priority) -> None:
    desk = Desk()
    task = desk.bury(a_task(priority=lane))
    desk.tasks.create(task)

    assert desk() == Swept(letters=1, failed=1)
    failed = desk.read(task)
    assert (failed.status, failed.error, failed.completed_at) == (TaskStatus.FAILED, DEAD_LETTERED, NOW)
    assert "try it again" in DEAD_LETTERED.detail


def test_a_task_whose_record_was_never_put_has_failed_too() -> None:
    desk = Desk()
    task = desk.bury(a_task())

    assert desk().failed == 1
    assert desk.read(task).status is TaskStatus.FAILED


def test_letters_stay_and_are_visible_again() -> None:
    desk = Desk()
    for _ in range(3):
        desk.bury(a_task())

    desk()

    assert len(desk.lanes.dead_letters) == 3
    assert sorted(desk.lanes.released) == sorted(desk.lanes.hidden) == ["letter-0", "letter-1", "letter-2"]


def test_a_letter_that_a_worker_buried_is_not_swept() -> None:
    desk = Desk()
    task = desk.bury(a_task(), cause="model-unavailable")
    desk.tasks.create(task)

    assert desk() == Swept(letters=1, failed=0)
    assert desk.read(task).status is TaskStatus.QUEUED


@pytest.mark.parametrize("status", [status for status in TaskStatus if status.is_final])
def test_a_task_that_is_over_is_left_alone(status: TaskStatus) -> None:
    desk = Desk()
    task = desk.bury(a_task())
    over = task.model_copy(update={"status": status, "result": a_prediction()})
    desk.tasks.create(over)

    assert desk().failed == 0
    assert desk.read(task) == over


def test_a_task_that_was_redriven_is_left_alone() -> None:
    desk = Desk()
    task = desk.bury(a_task())
    desk.tasks.create(task.model_copy(update={"generation": 1}))

    assert desk().failed == 0
    assert desk.read(task).status is TaskStatus.QUEUED


def test_a_task_that_ends_while_it_is_swept_keeps_its_end() -> None:
    # GIVEN a task that is cancelled right before the sweep fails it
    class Ending(InMemoryTasks):
        def finish(self, task: Task) -> bool:
            super().finish(task.model_copy(update={"status": TaskStatus.CANCELLED, "error": None}))
            return super().finish(task)

    desk = Desk(tasks=Ending())
    task = desk.bury(a_task())
    desk.tasks.create(task)

    # WHEN its letter is swept
    # THEN
    assert desk().failed == 0
    assert desk.read(task).status is TaskStatus.CANCELLED


def test_an_unreadable_letter_is_left_for_operators() -> None:
    desk = Desk()
    desk.lanes.bury(Priority.HIGH, "no json", None, None)

    assert desk() == Swept(letters=1, failed=0)
    assert len(desk.lanes.dead_letters) == 1


def test_sweeping_again_changes_nothing() -> None:
    desk = Desk()
    task = desk.bury(a_task())
    desk()
    first = desk.read(task)
    desk.lanes.released.clear()

    assert desk() == Swept(letters=1, failed=0)
    assert desk.read(task) == first
