"""A redrive that is cut off, repeated or overtaken by other writers queues a failed task once and no other."""

from __future__ import annotations

import pytest

from matchcast.adapters.in_memory import InMemoryTasks
from matchcast.domain.task import Task, TaskStatus
from matchcast.errors import QueueUnavailable
from matchcast.tasks.dead_letters import Redrive
from tests.support.redrives import Desk, Lanes, a_failed_task
from tests.support.tasks import a_prediction, a_task


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

        def supersede(self, task: Task) -> bool:
            before = task.model_copy(update={"generation": task.generation - 1, "status": TaskStatus(ending)})
            self.finish(before)
            return super().supersede(task)

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

        def supersede(self, task: Task) -> bool:
            super().supersede(task)
            return super().supersede(task)

    desk = Desk(tasks=Twice())
    _, letter = a_failed_task(desk)

    # WHEN the letter is redriven
    # THEN
    assert desk.use_case.redrive(letter) is Redrive.REDRIVEN
    assert len(desk.sent) == 1


def test_a_record_that_was_forgotten_meanwhile_is_left_alone() -> None:
    # GIVEN a record that is removed right before the redrive writes it
    class Forgetting(InMemoryTasks):
        def supersede(self, task: Task) -> bool:
            self._tasks.clear()
            return super().supersede(task)

    desk = Desk(tasks=Forgetting())
    _, letter = a_failed_task(desk)

    # WHEN the letter is redriven
    # THEN
    assert desk.use_case.redrive(letter) is Redrive.MOVED_ON
    assert desk.sent == []


def test_a_redrive_that_lost_to_another_one_whose_task_is_over_sends_nothing() -> None:
    # GIVEN
    class Overtaken(InMemoryTasks):
        """A table in which another operator redrives the task, and it succeeds, between the look and the write."""

        def supersede(self, task: Task) -> bool:
            super().supersede(task)
            self.finish(task.model_copy(update={"status": TaskStatus.SUCCEEDED, "result": a_prediction()}))
            return super().supersede(task)

    desk = Desk(tasks=Overtaken())
    task, letter = a_failed_task(desk)

    # WHEN the letter is redriven
    # THEN
    assert desk.use_case.redrive(letter) is Redrive.MOVED_ON
    assert (desk.read(task).status, desk.sent) == (TaskStatus.SUCCEEDED, [])


def test_a_task_that_fails_again_is_redriven_once_by_a_use_case_and_its_new_letter_stays() -> None:
    # GIVEN a redriven task that fails again, as its fault lasts
    desk = Desk()
    redriving = desk.use_case
    task, first = a_failed_task(desk)
    twin = desk.bury(task)
    assert redriving.redrive(first) is Redrive.REDRIVEN
    again = desk.read(task)
    desk.tasks.finish(again.model_copy(update={"status": TaskStatus.FAILED}))
    second = desk.bury(again)

    # WHEN its new letter comes to the same use case
    # THEN it stays, and a letter of the first failure is no longer needed
    assert redriving.redrive(second) is Redrive.FAILED_AGAIN
    assert redriving.redrive(twin) is Redrive.MOVED_ON
    assert (desk.lanes.dead_letters, len(desk.sent)) == ([second], 1)

    # WHEN it comes to another one, THEN it is redriven
    assert desk.use_case.redrive(second) is Redrive.REDRIVEN
    assert (desk.read(task).generation, len(desk.sent)) == (2, 2)
