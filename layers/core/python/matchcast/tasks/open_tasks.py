"""Backpressure: how many tasks a tenant may have open at once.

Open tasks are not counted, because a counter would cost two more writes per task. Lanes are queues, so a tenant
whose N-th newest task is still open has about N open ones: one query of the index and one read show it, and
each environment asks once in a few seconds for each tenant.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import datetime

from matchcast.domain.task import Task, TaskStatus
from matchcast.errors import TooManyTasks
from matchcast.ports import TaskIndex, TaskStore
from matchcast.tasks.lane_speed import LaneSpeed

_EVERY_SECONDS = 2.0
_REMEMBERED_TENANTS = 1000


class OpenTasks:
    """Refuses submissions of tenants that have too many open tasks."""

    def __init__(
        self,
        *,
        tasks: TaskStore,
        index: TaskIndex,
        speed: LaneSpeed,
        limit: int,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tasks = tasks
        self._index = index
        self._speed = speed
        self._limit = limit
        self._now = now
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, Task | None]] = {}

    def check(self, tenant: str) -> None:
        """Return if the tenant may submit.

        Raises
        ------
        TooManyTasks
            If it has about `limit` open tasks; it says when some will have ended.
        """
        asked_at, oldest = self._known.get(tenant, (-math.inf, None))
        if self._monotonic() - asked_at >= _EVERY_SECONDS:
            oldest = self._nth_newest(tenant)
            if len(self._known) >= _REMEMBERED_TENANTS:
                self._known.clear()
            self._known[tenant] = (self._monotonic(), oldest)
        if oldest is not None and oldest.status_at(self._now()) is TaskStatus.QUEUED:
            raise TooManyTasks(
                f"You have about {self._limit} open tasks, which is as many as you may have. "
                "Submit more when some of them have ended.",
                retry_after=max(int(_EVERY_SECONDS), self._speed.retry_after(oldest.priority)),
            )

    def _nth_newest(self, tenant: str) -> Task | None:
        ids = self._index.list_ids(tenant, None, self._limit)
        if len(ids) < self._limit:
            return None
        return self._tasks.get_many([ids[-1]]).get(ids[-1])
