"""Redrive: another life for a dead letter's task, under the same id and in its next generation."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from matchcast.adapters.in_memory import InMemoryLanes, InMemoryTasks
from matchcast.domain.task import Priority, Task, TaskError, TaskStatus
from matchcast.errors import QueueUnavailable
from matchcast.messages import decode, encode
from matchcast.ports import DeadLetter
from matchcast.tasks.dead_letters import Redrive, RedriveDeadLetters
from tests.support.tasks import NOW, a_prediction, a_task

LIFETIME = timedelta(hours=2)
REASON = TaskError(code="model-failed", detail="It failed.")


@dataclass
class Lanes(InMemoryLanes):
    """Lanes of which one call does not come through."""

    down: str = ""

    def send(self, task: Task, delay_seconds: int = 0) -> None:
        self._check("send")
        super().send(task, delay_seconds)

    def delete(self, letter: DeadLetter) -> None:
        self._check("delete")
        super().delete(letter)

    def _check(self, call: str) -> None:
        if call == self.down:
            raise QueueUnavailable(f"no {call}")


@dataclass
class Desk:
    tasks: InMemoryTasks = field(default_factory=InMemoryTasks)
    lanes: Lanes = field(default_factory=Lanes)

    @property
    def use_case(self) -> RedriveDeadLetters:
        return RedriveDeadLetters(
            letters=self.lanes, tasks=self.tasks, lanes=self.lanes, now=lambda: NOW, lifetime=LIFETIME
        )

    def bury(self, body: Task | str, cause: str | None = "model-failed") -> DeadLetter:
        lane = body.priority if isinstance(body, Task) else Priority.NORMAL
        self.lanes.bury(lane, encode(body) if isinstance(body, Task) else body, cause, None)
        return self.lanes.dead_letters[-1]

    def read(self, task: Task) -> Task:
        return self.tasks.get_many([task.task_id])[task.task_id]

    @property
    def sent(self) -> list[Task]:
        return [decode(body) for _, body, _ in self.lanes.sent]


def a_failed_task(desk: Desk, **changes: object) -> tuple[Task, DeadLetter]:
    """Return a task that failed after three attempts, as its message carries it, and its letter."""
    task = a_task(
        priority=Priority.HIGH, start_by=NOW - timedelta(minutes=5), expires_at=NOW - timedelta(minutes=1), **changes
    )
    ended = {"status": TaskStatus.FAILED, "error": REASON, "attempts": 3, "completed_at": NOW}
    desk.tasks.create(task.model_copy(update=ended))
    return task, desk.bury(task)


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


def test_a_redrive_that_was_cut_off_before_the_message_sends_it_when_it_is_repeated() -> None:
    # GIVEN a redrive that reopened the task and could not send its message
    desk = Desk(lanes=Lanes(down="send"))
    task, letter = a_failed_task(desk)
    with pytest.raises(QueueUnavailable):
        desk.use_case.redrive(letter)
    assert (desk.read(task).status, desk.lanes.dead_letters) == (TaskStatus.QUEUED, [letter])

    # WHEN it is repeated
    desk.lanes.down = ""

    # THEN
    assert desk.use_case.redrive(letter) is Redrive.REDRIVEN
    assert (desk.read(task).generation, [sent.generation for sent in desk.sent]) == (1, [1])
    assert desk.lanes.dead_letters == []


def test_a_redrive_that_was_cut_off_after_the_message_does_no_harm_when_it_is_repeated() -> None:
    # GIVEN a redrive that could not delete its letter
    desk = Desk(lanes=Lanes(down="delete"))
    task, letter = a_failed_task(desk)
    with pytest.raises(QueueUnavailable):
        desk.use_case.redrive(letter)
    # The message is there, and its task may end before the letter is redriven again.
    again = desk.read(task)
    assert desk.tasks.finish(again.model_copy(update={"status": TaskStatus.SUCCEEDED, "result": a_prediction()}))

    # WHEN it is repeated
    desk.lanes.down = ""

    # THEN
    assert desk.use_case.redrive(letter) is Redrive.MOVED_ON
    assert (desk.read(task).status, len(desk.sent), desk.lanes.dead_letters) == (TaskStatus.SUCCEEDED, 1, [])


def test_two_letters_of_one_failure_are_one_redrive() -> None:
    # GIVEN two letters of one task: a worker that died between burying a message and failing its task buries it twice
    desk = Desk()
    task, first = a_failed_task(desk)
    second = desk.bury(task)

    # WHEN one is redriven and the task succeeds
    assert desk.use_case.redrive(first) is Redrive.REDRIVEN
    desk.tasks.finish(desk.read(task).model_copy(update={"status": TaskStatus.SUCCEEDED, "result": a_prediction()}))

    # THEN the other is only deleted
    assert desk.use_case.redrive(second) is Redrive.MOVED_ON
    assert (desk.read(task).generation, len(desk.sent)) == (1, 1)


@pytest.mark.parametrize(("ending", "outcome"), [("cancelled", Redrive.MOVED_ON), ("failed", Redrive.REDRIVEN)])
def test_a_task_that_ends_while_its_letter_is_redriven(ending: str, outcome: Redrive) -> None:
    # GIVEN
    class Ending(InMemoryTasks):
        """A table in which the task ends between the operator's look and write."""

        def reopen(self, task: Task) -> bool:
            before = task.model_copy(update={"generation": task.generation - 1, "status": TaskStatus(ending)})
            self.finish(before)
            return super().reopen(task)

    desk = Desk(tasks=Ending())
    task = a_task()
    desk.tasks.create(task)

    # WHEN it is redriven
    # THEN a failed task is queued again, a cancelled one is not
    assert desk.use_case.redrive(desk.bury(task)) is outcome
    assert (desk.read(task).status is TaskStatus.QUEUED) is (outcome is Redrive.REDRIVEN)
    assert len(desk.sent) == (outcome is Redrive.REDRIVEN)


def test_a_reopening_whose_answer_got_lost_still_counts() -> None:
    # GIVEN
    class Twice(InMemoryTasks):
        """A table that the SDK asks again, because its first answer got lost."""

        def reopen(self, task: Task) -> bool:
            super().reopen(task)
            return super().reopen(task)

    desk = Desk(tasks=Twice())
    _, letter = a_failed_task(desk)

    # WHEN the letter is redriven
    # THEN
    assert desk.use_case.redrive(letter) is Redrive.REDRIVEN
    assert len(desk.sent) == 1


def test_a_record_that_was_forgotten_meanwhile_is_left_alone() -> None:
    # GIVEN a record that is removed right before the redrive writes it
    class Forgetting(InMemoryTasks):
        def reopen(self, task: Task) -> bool:
            self._tasks.clear()
            return super().reopen(task)

    desk = Desk(tasks=Forgetting())
    _, letter = a_failed_task(desk)

    # WHEN the letter is redriven
    # THEN
    assert desk.use_case.redrive(letter) is Redrive.MOVED_ON
    assert desk.sent == []
