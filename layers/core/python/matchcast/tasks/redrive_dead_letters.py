"""Give a dead letter's task another life: the record first, then the message, then the letter goes.

The task always goes on in its next generation, so that no message or worker of an earlier one can end it.
A crash after the record leaves a queued task of the next generation and its letter; redriving the letter
again only sends the message. A crash after the message leaves a letter whose task has moved on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

from matchcast.domain.task import Task, TaskStatus
from matchcast.errors import InvalidMessage
from matchcast.messages import decode
from matchcast.ports import DeadLetter, DeadLetters, PredictionQueue, TaskStore
from matchcast.tasks.sweep_dead_letters import dead_lettered


class Redrive(StrEnum):
    """What becomes of a letter that is redriven."""

    REDRIVEN = "redriven"
    MOVED_ON = "moved on"
    NO_TASK = "no task"


class RedriveDeadLetters:
    """Redrives letters, one at a time."""

    def __init__(
        self,
        *,
        letters: DeadLetters,
        tasks: TaskStore,
        lanes: PredictionQueue,
        now: Callable[[], datetime],
        lifetime: timedelta,
    ) -> None:
        self._letters = letters
        self._tasks = tasks
        self._lanes = lanes
        self._now = now
        self._lifetime = lifetime

    def plan(self, letter: DeadLetter) -> tuple[Redrive, Task | None]:
        """Return what redriving a letter would do, and the task as it would be queued.

        `MOVED_ON`: the task ended otherwise, or in a later generation; the letter is no longer needed.
        `NO_TASK`: the letter cannot be read, or its task is unknown; it can only be shown or discarded.
        """
        try:
            task = decode(letter.body)
        except InvalidMessage:
            return Redrive.NO_TASK, None
        record = self._tasks.get_many([task.task_id]).get(task.task_id)
        if record is None:
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
            present = self._tasks.get_many([task.task_id]).get(task.task_id)
            if present is None:
                return False
            if present.generation != task.generation - 1:
                return (present.status, present.generation) == (TaskStatus.QUEUED, task.generation)
            if present.status is TaskStatus.QUEUED:
                self._tasks.finish(dead_lettered(present, self._now()))
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
