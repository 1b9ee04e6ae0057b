"""Tell the tasks of messages that the queue itself gave up: they have failed, and their clients may know.

A worker that buries a message fails its task. Where workers die again and again before they can, the queue
buries the message after its last delivery, and nobody tells the task. The message is left for operators.
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
    """How many letters were seen, and how many tasks were told."""

    letters: int
    failed: int


class SweepDeadLetters:
    """Fails the tasks of letters without a cause."""

    def __init__(self, letters: DeadLetters, tasks: TaskStore, now: Callable[[], datetime]) -> None:
        self._letters = letters
        self._tasks = tasks
        self._now = now

    def __call__(self) -> Swept:
        """Look at every dead letter once; a task that is over, or in a later generation, is left alone."""
        # All are received before any is released, or a released one would come again in place of an unseen one.
        letters = [letter for lane in Priority for letter in self._letters.receive(lane, HIDE_SECONDS)]
        failed = sum(self._tell(letter) for letter in letters)
        for letter in letters:
            self._letters.release(letter)
        return Swept(letters=len(letters), failed=failed)

    def _tell(self, letter: DeadLetter) -> bool:
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
    """Return a task as one that failed because its message was given up."""
    return task.model_copy(update={"status": TaskStatus.FAILED, "error": DEAD_LETTERED, "completed_at": now})
