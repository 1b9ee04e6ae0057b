"""Status, result, list and cancellation of a tenant's tasks. Every read checks lifetimes; the table deletes late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from matchcast.domain.prediction import Prediction
from matchcast.domain.task import Task, TaskStatus, is_task_id
from matchcast.echo import cut
from matchcast.errors import Conflict, TaskGone, TaskNotFound, TaskOver
from matchcast.ports import TaskIndex, TaskStore

_PAGE = 100
_MAX_PAGES = 5
"""A list request reads at most this many pages of 100 ids; the cursor continues a filter that found less."""


@dataclass(frozen=True, slots=True)
class TaskPage:
    """Some tasks, newest first, and the id after which the next page begins (None: there is none)."""

    tasks: list[Task]
    next_before: str | None


def find_task(tasks: TaskStore, tenant: str, task_id: str, now: datetime) -> Task:
    """Return the record of a tenant's task.

    Raises
    ------
    TaskNotFound
        If there is none, it is another tenant's, or it was forgotten.
    TaskGone
        If it expired within the last seven days.
    """
    # The table refuses a key that is too long, and what is no id is not there anyway.
    task = tasks.get_many([task_id]).get(task_id) if is_task_id(task_id) else None
    if task is None or task.tenant != tenant or not task.is_remembered_at(now):
        raise TaskNotFound(f"There is no task {cut(task_id)}.")
    if not task.is_readable_at(now):
        raise TaskGone(f"The task {task_id} expired at {task.expires_at:%Y-%m-%dT%H:%M:%SZ}; submit it again.")
    return task


class TrackTasks:
    """Reads and cancels tasks for the tenant that owns them."""

    def __init__(self, tasks: TaskStore, index: TaskIndex, now: Callable[[], datetime]) -> None:
        self._tasks = tasks
        self._index = index
        self._now = now

    def status(self, tenant: str, task_id: str) -> Task:
        """Return a task as its reader sees it now.

        Raises
        ------
        TaskNotFound, TaskGone
            As for `find_task`.
        """
        now = self._now()
        return self._seen(find_task(self._tasks, tenant, task_id, now), now)

    def result(self, tenant: str, task_id: str) -> Prediction | Task:
        """Return the prediction, or the task while it is queued.

        Raises
        ------
        TaskOver
            If the task failed, was cancelled or expired: there will be no result.
        """
        task = self.status(tenant, task_id)
        if task.result is not None:
            return task.result
        if task.status is TaskStatus.QUEUED:
            return task
        reason = f": {task.error.detail}" if task.error else "."
        raise TaskOver(f"The task {task_id} is {task.status}{reason}")

    def cancel(self, tenant: str, task_id: str) -> Task:
        """Return the cancelled task; cancelling again changes nothing.

        Raises
        ------
        TaskNotFound, TaskGone
            As for `status`.
        Conflict
            If it ended in another way.
        """
        task = self.status(tenant, task_id)
        while task.status is TaskStatus.QUEUED:
            cancelled = task.model_copy(update={"status": TaskStatus.CANCELLED, "completed_at": self._now()})
            if self._tasks.finish(cancelled):
                return cancelled
            # It ended just now, or ended and was redriven.
            task = self.status(tenant, task_id)
        if task.status is TaskStatus.CANCELLED:
            return task
        raise Conflict(f"The task {task_id} is {task.status} already; only a queued one can be cancelled.")

    def list(
        self,
        tenant: str,
        *,
        before: str | None = None,
        limit: int = 50,
        status: TaskStatus | None = None,
        match_id: str | None = None,
    ) -> TaskPage:
        """Return up to `limit` readable tasks of a tenant, newest first, older than the id `before`."""
        now = self._now()
        found: list[Task] = []
        for _ in range(_MAX_PAGES):
            page = self._index.list_ids(tenant, before, _PAGE if status else limit - len(found), match_id)
            records = self._tasks.get_many(page.ids)
            for task_id in page.ids:
                # The index lags behind the table: an id without a record was deleted by its TTL.
                task = records.get(task_id)
                if task is None or not task.is_readable_at(now):
                    continue
                seen = self._seen(task, now)
                if status in (None, seen.status):
                    found.append(seen)
                    if len(found) == limit:
                        return TaskPage(found, next_before=task_id)
            before = page.next_before
            if before is None:
                break
        return TaskPage(found, next_before=before)

    def _seen(self, task: Task, now: datetime) -> Task:
        """Return a task as its reader sees it.

        One that was not started in time is written as expired before a reader sees it as expired: else a worker
        that did start it could still end it in another way.
        """
        status = task.status_at(now)
        if status is task.status:
            return task
        expired = task.model_copy(update={"status": status, "completed_at": now})
        if self._tasks.finish(expired):
            return expired
        return self._tasks.get_many([task.task_id]).get(task.task_id, expired)
