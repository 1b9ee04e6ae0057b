"""The specification of the asynchronous API as a small model: what each request has to be answered with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

LIFETIME = timedelta(hours=1)
GONE_FOR = timedelta(days=7)
RETRIABLE = ("failed", "cancelled", "expired")


@dataclass
class Known:
    """A task as every reader has to see it."""

    task_id: str
    tenant: str
    subject: dict[str, Any]
    priority: str
    created_at: datetime
    start_by: datetime | None
    expires_at: datetime
    retry_of: str | None = None
    status: str = "queued"
    generation: int = 0
    error: str | None = None
    result: Any = None
    """The prediction, once a client has seen it."""

    @property
    def start_within(self) -> int | None:
        """Return how many seconds it had to be started in."""
        return None if self.start_by is None else int((self.start_by - self.created_at).total_seconds())


@dataclass
class Specification:
    """Every task and key, as they have to be."""

    tasks: dict[str, Known] = field(default_factory=dict)
    keys: dict[tuple[str, str], tuple[Any, Known, datetime]] = field(default_factory=dict)
    """What each key stands for: a request, its task, and until when (a redrive prolongs the task, not its key)."""
    is_model_broken: bool = False

    def settle(self, now: datetime) -> None:
        """Apply the time that passed: a task that was not started in time has expired."""
        for task in self.tasks.values():
            if task.status == "queued" and task.start_by is not None and now > task.start_by:
                task.status = "expired"

    def by_key(self, tenant: str, key: str | None, content: Any, now: datetime) -> Known | int | None:
        """Return the task that a key stands for, 422 if it stands for another request, None if it is free."""
        known = self.keys.get((tenant, key)) if key else None
        if known is None or now >= known[2]:
            return None
        return known[1] if known[0] == content else 422

    def add(self, task: Known, key: str | None, content: Any) -> None:
        """Take in a new task, with the key and content that made it."""
        assert task.task_id not in self.tasks
        self.tasks[task.task_id] = task
        if key is not None:
            self.keys[task.tenant, key] = (content, task, task.expires_at)

    def reading(self, tenant: str, task_id: str, now: datetime) -> int:
        """Return what every request about a task is answered with before anything else is looked at."""
        task = self.tasks.get(task_id)
        if task is None or task.tenant != tenant or now >= task.expires_at + GONE_FOR:
            return 404
        return 410 if now >= task.expires_at else 200

    def result(self, tenant: str, task_id: str, now: datetime) -> int:
        """Return the status of GET /results/{task_id}."""
        status = self.reading(tenant, task_id, now)
        return status if status != 200 else {"succeeded": 200, "queued": 202}.get(self.tasks[task_id].status, 409)

    def cancel(self, tenant: str, task_id: str, now: datetime) -> int:
        """Cancel; return the status of DELETE /predict/async/{task_id}."""
        status = self.reading(tenant, task_id, now)
        if status != 200:
            return status
        task = self.tasks[task_id]
        if task.status == "queued":
            task.status = "cancelled"
        return 200 if task.status == "cancelled" else 409

    def retry(self, tenant: str, task_id: str, now: datetime) -> int:
        """Return the status of POST /predict/async/{task_id}/retry whose key stands for nothing yet."""
        status = self.reading(tenant, task_id, now)
        if status != 200:
            return status
        return 202 if self.tasks[task_id].status in RETRIABLE else 409

    def listed(self, tenant: str, status: str | None, now: datetime) -> list[str]:
        """Return the ids in a tenant's list, newest first."""
        mine = (task for task in self.tasks.values() if task.tenant == tenant and now < task.expires_at)
        return sorted((task.task_id for task in mine if status in (None, task.status)), reverse=True)

    def deliver(self, task_id: str, generation: int, now: datetime) -> bool:
        """Have a worker meet a message; return whether it buries it."""
        task = self.tasks[task_id]
        if task.status != "queued" or task.generation != generation:
            return False
        if now >= task.expires_at:
            task.status = "expired"
        elif self.is_model_broken:
            task.status, task.error = "failed", "model-failed"
            return True
        else:
            task.status = "succeeded"
        return False

    def redrive(self, task_id: str, generation: int, now: datetime) -> bool:
        """Redrive a letter; return whether its task is queued again."""
        task = self.tasks[task_id]
        if (task.status, task.generation) == ("queued", generation + 1):
            return True  # By another letter of the same failure.
        if task.status != "failed" or task.generation != generation:
            return False
        task.status, task.error, task.start_by = "queued", None, None
        task.generation, task.expires_at = generation + 1, now + LIFETIME
        return True
