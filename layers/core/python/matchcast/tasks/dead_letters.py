"""Dead letters and their tasks: given another life by a redrive, or discarded.

A worker that buries a message fails its task. Where every worker dies before it can, SQS moves the message to the
dead letters after its last delivery, and the task stays queued until the sweep. The letter is left for operators, who
redrive or discard it.

A redrive writes the record first, then sends the message, then deletes the letter. The task always goes on in its next
generation, so that no message or worker of an earlier one can end it. A crash after the record leaves a queued task of
the next generation and its letter; redriving the letter again only sends the message. A crash after the message leaves
a letter whose task has moved on.

A discard puts the record into the next generation too, as failed: another operator who took up the letter before, and
acts only now, cannot queue the task of a letter that is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from matchcast.domain.task import Task, TaskError, TaskStatus
from matchcast.errors import InvalidMessage
from matchcast.messages import decode
from matchcast.ports import DeadLetter, DeadLetters, PredictionQueue, TaskStore

DEAD_LETTERED = TaskError(
    code="dead-lettered",
    detail="The task was started several times and never came to an end. Its operators can see why; try it again.",
)


class Redrive(StrEnum):
    """What becomes of a letter that is redriven."""

    REDRIVEN = "redriven"
    MOVED_ON = "moved on"
    NO_TASK = "no task"
    FAILED_AGAIN = "failed again"
    NEEDS_RETRY = "needs retry-failed"
    """Of a batch: what has failed is run again where its client asks for that."""


class Discard(StrEnum):
    """What becomes of a letter that is discarded."""

    DISCARDED = "discarded"
    TASK_FAILED = "discarded, task failed"
    PART_LOST = "discarded, part fails"
    BATCH_FAILED = "discarded, batch failed"


def task_in(letter: DeadLetter) -> Task | None:
    """Return the task that a letter carries, as its message has it; None if it cannot be read."""
    try:
        return decode(letter.body)
    except InvalidMessage:
        return None


class LettersAndRecords:
    """Dead letters, and the records of their tasks."""

    def __init__(self, letters: DeadLetters, tasks: TaskStore, now: Callable[[], datetime]) -> None:
        self._letters = letters
        self._tasks = tasks
        self._now = now

    def _read(self, letters: Sequence[DeadLetter]) -> list[tuple[Task | None, Task | None]]:
        """Return the task of each letter and its record, where there are any."""
        tasks = [task_in(letter) for letter in letters]
        records = self._tasks.get_many(list({task.task_id for task in tasks if task is not None}))
        return [(task, records.get(task.task_id) if task is not None else None) for task in tasks]

    def _record(self, task: Task) -> Task | None:
        return self._tasks.get_many([task.task_id]).get(task.task_id)

    def _fail(self, task: Task) -> bool:
        """Fail a task because its message was dead-lettered; False if it is over, or in a later generation."""
        failed = {"status": TaskStatus.FAILED, "error": DEAD_LETTERED, "completed_at": self._now()}
        return self._tasks.finish(task.model_copy(update=failed))


class RedriveDeadLetters(LettersAndRecords):
    """Gives the tasks of letters another life, one at a time, and each task only one.

    While the fault lasts, a redriven task fails again, and its new letter comes to the same reader.
    """

    def __init__(
        self,
        *,
        letters: DeadLetters,
        tasks: TaskStore,
        lanes: PredictionQueue,
        now: Callable[[], datetime],
        lifetime: timedelta,
    ) -> None:
        super().__init__(letters, tasks, now)
        self._lanes = lanes
        self._lifetime = lifetime
        self._redriven: dict[str, int] = {}

    def plan(self, letter: DeadLetter) -> tuple[Redrive, Task | None]:
        """Return what redriving a letter would do, and the task as it would be queued.

        `MOVED_ON`: the task ended otherwise, or in a later generation; the letter is no longer needed.
        `NO_TASK`: the letter cannot be read, or its task is unknown; it can only be shown or discarded.
        """
        return self.plans([letter])[0]

    def plans(self, letters: Sequence[DeadLetter]) -> list[tuple[Redrive, Task | None]]:
        """Return the plan of each letter, with one read of the records."""
        return [self._plan(*read) for read in self._read(letters)]

    def _plan(self, task: Task | None, record: Task | None) -> tuple[Redrive, Task | None]:
        if task is None or record is None:
            return Redrive.NO_TASK, None
        if record.status is TaskStatus.QUEUED and record.generation == task.generation + 1:
            # An earlier redrive may have come no further than this.
            return Redrive.REDRIVEN, record
        if record.status in (TaskStatus.FAILED, TaskStatus.QUEUED) and record.generation == task.generation:
            return Redrive.REDRIVEN, self._reopened(record)
        return Redrive.MOVED_ON, None

    def redrive(self, letter: DeadLetter) -> Redrive:
        """Redrive a letter and delete it, unless it has no task, or its task has failed since it was redriven here."""
        carried = task_in(letter)
        if carried is not None and carried.generation >= self._redriven.get(carried.task_id, carried.generation + 1):
            return Redrive.FAILED_AGAIN
        outcome, task = self.plan(letter)
        if task is not None:
            if not self._is_reopened(task):
                return Redrive.MOVED_ON
            self._redriven[task.task_id] = task.generation  # before its new letter can come
            self._lanes.send(task)
        if outcome is not Redrive.NO_TASK:
            self._letters.delete(letter)
        return outcome

    def _is_reopened(self, task: Task) -> bool:
        """Reopen the record, unless an earlier redrive did.

        One that is still queued fails first: no sweep has failed it yet, or its worker was about to.
        """
        while not self._tasks.supersede(task):
            present = self._record(task)
            if present is None:
                return False
            if present.generation != task.generation - 1:
                return (present.status, present.generation) == (TaskStatus.QUEUED, task.generation)
            if present.status is TaskStatus.QUEUED:
                self._fail(present)
            elif present.status is not TaskStatus.FAILED:
                return False
        return True

    def _reopened(self, record: Task) -> Task:
        return record.model_copy(
            update={
                "status": TaskStatus.QUEUED,
                "generation": record.generation + 1,
                "attempts": 0,
                "error": None,
                "completed_at": None,
                "start_by": None,
                "expires_at": self._now() + self._lifetime,
            }
        )


class DiscardDeadLetters(LettersAndRecords):
    """Deletes letters for good, one at a time; a task that still depends on its letter fails first."""

    def plan(self, letter: DeadLetter) -> tuple[Discard, Task | None]:
        """Return what discarding a letter would do, and the task that would fail.

        That is a task that no sweep has failed yet, or that a redrive reopened without sending its message.
        """
        return self.plans([letter])[0]

    def plans(self, letters: Sequence[DeadLetter]) -> list[tuple[Discard, Task | None]]:
        """Return the plan of each letter, with one read of the records."""
        return [self._plan(*read) for read in self._read(letters)]

    def _plan(self, task: Task | None, record: Task | None) -> tuple[Discard, Task | None]:
        if task is not None and self._depends_on_letter(task, record or task):
            return Discard.TASK_FAILED, record or task
        return Discard.DISCARDED, None

    def discard(self, letter: DeadLetter) -> Discard:
        """Fail the task where there is one, for good, then delete the letter."""
        task = task_in(letter)
        outcome = Discard.DISCARDED if task is None else self._give_up(task)
        self._letters.delete(letter)
        return outcome

    def _give_up(self, task: Task) -> Discard:
        """Fail what is open of a task, and see that no redrive of its letter can queue it any more."""
        outcome = Discard.DISCARDED
        while True:
            present = self._record(task) or task
            if self._depends_on_letter(task, present):
                if self._fail(present):
                    outcome = Discard.TASK_FAILED
                continue
            failed_with_it = present.status is TaskStatus.FAILED and present.generation == task.generation
            following = present.model_copy(update={"generation": present.generation + 1})
            if not failed_with_it or self._tasks.supersede(following):
                return outcome

    def _depends_on_letter(self, task: Task, record: Task) -> bool:
        return record.status is TaskStatus.QUEUED and record.generation in (task.generation, task.generation + 1)
