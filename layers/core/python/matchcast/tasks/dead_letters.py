"""Dead letters and their tasks: failed by the sweep, given another life by a redrive, or discarded.

A worker that buries a message fails its task. Where every worker dies before it can, SQS moves the message to the
dead letters after its last delivery, and the task stays queued until the sweep. The letter is left for operators, who
redrive or discard it.

A redrive writes the record first, then sends the message, then deletes the letter. The task always goes on in its next
generation, so that no message or worker of an earlier one can end it. A crash after the record leaves a queued task of
the next generation and its letter; redriving the letter again only sends the message. A crash after the message leaves
a letter whose task has moved on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from matchcast.domain.task import Priority, Task, TaskError, TaskStatus
from matchcast.errors import InvalidMessage
from matchcast.messages import decode
from matchcast.ports import DeadLetter, DeadLetters, PredictionQueue, TaskStore

HIDE_SECONDS = 120
"""How long a sweep hides letters from other readers."""
DEAD_LETTERED = TaskError(
    code="dead-lettered",
    detail="The task was started several times and never came to an end. Its operators can see why; try it again.",
)


@dataclass(frozen=True, slots=True)
class Swept:
    """How many letters were seen, and how many tasks failed."""

    letters: int
    failed: int


class Redrive(StrEnum):
    """What becomes of a letter that is redriven."""

    REDRIVEN = "redriven"
    MOVED_ON = "moved on"
    NO_TASK = "no task"


class Discard(StrEnum):
    """What becomes of a letter that is discarded."""

    DISCARDED = "discarded"
    TASK_FAILED = "discarded, task failed"


def task_in(letter: DeadLetter) -> Task | None:
    """Return the task that a letter carries, as its message has it; None if it cannot be read."""
    try:
        return decode(letter.body)
    except InvalidMessage:
        return None


class _LettersAndRecords:
    """Dead letters, and the records of their tasks."""

    def __init__(self, letters: DeadLetters, tasks: TaskStore, now: Callable[[], datetime]) -> None:
        self._letters = letters
        self._tasks = tasks
        self._now = now

    def _record(self, task: Task) -> Task | None:
        return self._tasks.get_many([task.task_id]).get(task.task_id)

    def _fail(self, task: Task) -> bool:
        """Fail a task because its message was dead-lettered; False if it is over, or in a later generation."""
        failed = {"status": TaskStatus.FAILED, "error": DEAD_LETTERED, "completed_at": self._now()}
        return self._tasks.finish(task.model_copy(update=failed))


class SweepDeadLetters(_LettersAndRecords):
    """Fails the tasks of letters without a cause, so that their clients do not wait in vain."""

    def sweep(self) -> Swept:
        """Look at every dead letter once; a task that is over, or in a later generation, is left alone."""
        # All are received before any is released, or a released one would come again in place of an unseen one.
        letters = [letter for lane in Priority for letter in self._letters.receive(lane, HIDE_SECONDS)]
        failed = sum(self._fail_task(letter) for letter in letters if letter.cause is None)
        for letter in letters:
            self._letters.release(letter)
        return Swept(letters=len(letters), failed=failed)

    def _fail_task(self, letter: DeadLetter) -> bool:
        task = task_in(letter)
        if task is None:
            return False
        record = self._record(task) or task
        if record.status.is_final or record.generation != task.generation:
            return False
        return self._fail(task)


class RedriveDeadLetters(_LettersAndRecords):
    """Gives the tasks of letters another life, one at a time."""

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

    def plan(self, letter: DeadLetter) -> tuple[Redrive, Task | None]:
        """Return what redriving a letter would do, and the task as it would be queued.

        `MOVED_ON`: the task ended otherwise, or in a later generation; the letter is no longer needed.
        `NO_TASK`: the letter cannot be read, or its task is unknown; it can only be shown or discarded.
        """
        task = task_in(letter)
        record = None if task is None else self._record(task)
        if task is None or record is None:
            return Redrive.NO_TASK, None
        if record.status is TaskStatus.QUEUED and record.generation == task.generation + 1:
            # An earlier redrive may have come no further than this.
            return Redrive.REDRIVEN, record
        if record.status in (TaskStatus.FAILED, TaskStatus.QUEUED) and record.generation == task.generation:
            return Redrive.REDRIVEN, self._reopened(record)
        return Redrive.MOVED_ON, None

    def redrive(self, letter: DeadLetter) -> Redrive:
        """Redrive a letter and delete it, unless it has no task."""
        outcome, task = self.plan(letter)
        if task is not None:
            if not self._is_reopened(task):
                return Redrive.MOVED_ON
            self._lanes.send(task)
        if outcome is not Redrive.NO_TASK:
            self._letters.delete(letter)
        return outcome

    def _is_reopened(self, task: Task) -> bool:
        """Reopen the record, unless an earlier redrive did.

        One that is still queued fails first: no sweep has failed it yet, or its worker was about to.
        """
        while not self._tasks.reopen(task):
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


class DiscardDeadLetters(_LettersAndRecords):
    """Deletes letters for good, one at a time; a task that still depends on its letter fails first."""

    def plan(self, letter: DeadLetter) -> tuple[Discard, Task | None]:
        """Return what discarding a letter would do, and the task that would fail.

        That is a task that no sweep has failed yet, or that a redrive reopened without sending its message.
        """
        task = task_in(letter)
        if task is not None:
            record = self._record(task) or task
            if record.status is TaskStatus.QUEUED and record.generation in (task.generation, task.generation + 1):
                return Discard.TASK_FAILED, record
        return Discard.DISCARDED, None

    def discard(self, letter: DeadLetter) -> Discard:
        """Fail the task where there is one, then delete the letter."""
        outcome, task = self.plan(letter)
        if task is not None and not self._fail(task):
            outcome = Discard.DISCARDED  # it ended meanwhile
        self._letters.delete(letter)
        return outcome
