"""An operator's desk for redriving dead letters, over lanes of which one call can fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from matchcast.adapters.in_memory import InMemoryLanes, InMemoryTasks
from matchcast.domain.task import Priority, Task, TaskError, TaskStatus
from matchcast.errors import QueueUnavailable
from matchcast.messages import decode, encode
from matchcast.ports import DeadLetter
from matchcast.tasks.dead_letters import RedriveDeadLetters
from tests.support.tasks import NOW, a_task

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
    """The use case with its table and lanes, and what an operator sees of them."""

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
