"""Delete a dead letter for good; a task that still depends on it fails first, so that no client waits in vain."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from matchcast.domain.task import Task, TaskStatus
from matchcast.errors import InvalidMessage
from matchcast.messages import decode
from matchcast.ports import DeadLetter, DeadLetters, TaskStore
from matchcast.tasks.sweep_dead_letters import dead_lettered


class Discard(StrEnum):
    """What becomes of a letter that is discarded."""

    DISCARDED = "discarded"
    TASK_FAILED = "discarded, task failed"


class DiscardDeadLetters:
    """Discards letters, one at a time."""

    def __init__(self, *, letters: DeadLetters, tasks: TaskStore, now: Callable[[], datetime]) -> None:
        self._letters = letters
        self._tasks = tasks
        self._now = now

    def plan(self, letter: DeadLetter) -> tuple[Discard, Task | None]:
        """Return what discarding a letter would do, and the task that would fail.

        That is a task that no sweep has failed yet, or that a redrive reopened without sending its message.
        """
        try:
            task = decode(letter.body)
        except InvalidMessage:
            return Discard.DISCARDED, None
        record = self._tasks.get_many([task.task_id]).get(task.task_id, task)
        if record.status is TaskStatus.QUEUED and record.generation in (task.generation, task.generation + 1):
            return Discard.TASK_FAILED, record
        return Discard.DISCARDED, None

    def discard(self, letter: DeadLetter) -> Discard:
        """Fail the task where there is one, then delete the letter."""
        outcome, task = self.plan(letter)
        if task is not None and not self._tasks.finish(dead_lettered(task, self._now())):
            outcome = Discard.DISCARDED  # it ended meanwhile
        self._letters.delete(letter)
        return outcome
