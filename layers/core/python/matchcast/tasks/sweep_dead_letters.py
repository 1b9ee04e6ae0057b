"""Fail the tasks whose messages SQS dead-lettered, so that their clients do not wait in vain.

A worker that dead-letters a message fails its task. If every worker dies before, SQS moves the message to the
dead letters after its last delivery, and the task stays queued. The message is left for operators.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from matchcast.domain.task import Priority, Task, TaskError, TaskStatus
from matchcast.errors import InvalidMessage
from matchcast.messages import decode
from matchcast.ports import DeadLetter, DeadLetters, TaskStore

HIDE_SECONDS = 120
DEAD_LETTERED = TaskError(
    code="dead-lettered",
    detail="The task was started several times and never came to an end. Its operators can see why; try it again.",
)


@dataclass(frozen=True, slots=True)
class Swept:
    """How many letters were seen, and how many tasks failed."""

    letters: int
    failed: int


class SweepDeadLetters:
    """Fails the tasks of letters without a cause."""

    def __init__(self, letters: DeadLetters, tasks: TaskStore, now: Callable[[], datetime]) -> None:
        self._letters = letters
        self._tasks = tasks
        self._now = now

    def sweep(self) -> Swept:
        """Look at every dead letter once; a task that is over, or in a later generation, is left alone."""
        # All are received before any is released, or a released one would come again in place of an unseen one.
        letters = [letter for lane in Priority for letter in self._letters.receive(lane, HIDE_SECONDS)]
        failed = sum(self._fail_task(letter) for letter in letters)
        for letter in letters:
            self._letters.release(letter)
        return Swept(letters=len(letters), failed=failed)

    def _fail_task(self, letter: DeadLetter) -> bool:
        if letter.cause is not None:
            return False
        try:
            task = decode(letter.body)
        except InvalidMessage:
            return False
        record = self._tasks.get_many([task.task_id]).get(task.task_id, task)
        if record.status.is_final or record.generation != task.generation:
            return False
        return self._tasks.finish(dead_lettered(task, self._now()))


def dead_lettered(task: Task, now: datetime) -> Task:
    """Return a task as one that failed because its message was dead-lettered."""
    return task.model_copy(update={"status": TaskStatus.FAILED, "error": DEAD_LETTERED, "completed_at": now})
