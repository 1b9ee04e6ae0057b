"""Backpressure: how many tasks a tenant may have open at once.

The table has an index of open tasks alone, so a count costs the same whatever the tenant has done before. Of a high
limit the index holds a random sample, which DynamoDB itself keeps: no counter can drift.

A count is used for two seconds, and for a hundredth of the room that it leaves. So a hundred environments that count
at the same time accept no more together than there is room for, and one task each.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from matchcast.domain.task import Priority
from matchcast.errors import TooManyTasks
from matchcast.ports import TaskIndex
from matchcast.tasks.lane_speed import LaneSpeed

_EVERY_SECONDS = 2.0
_ENVIRONMENTS = 100
_REMEMBERED_TENANTS = 1000
_SAMPLE = 400
"""So many tasks of the sample stand for the limit; their number is within 15% of the truth (three sigma)."""


def counted_one_in(limit: int) -> int:
    """Return of how many tasks one is counted."""
    return max(1, limit // _SAMPLE)


@dataclass(slots=True)
class _Count:
    """When a tenant's open tasks were counted, how many there were, and how many it may submit on that."""

    at: float
    open: int
    left: int


class OpenTasks:
    """Refuses submissions of tenants that have too many open tasks."""

    def __init__(
        self,
        *,
        index: TaskIndex,
        speed: LaneSpeed,
        limit: int,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._index = index
        self._speed = speed
        self._limit = limit
        self._now = now
        self._monotonic = monotonic
        self._counts: dict[str, _Count] = {}

    def check(self, tenant: str, lane: Priority) -> None:
        """Return if the tenant may submit a task to a lane.

        Raises
        ------
        TooManyTasks
            If it has about `limit` open tasks; it says when some will have ended.
        """
        count = self._counts.get(tenant)
        full = count is not None and count.open >= self._limit
        if count is None or self._monotonic() - count.at >= _EVERY_SECONDS or not (count.left or full):
            count = self._count(tenant)
        if count.open >= self._limit:
            raise TooManyTasks(
                f"You have about {self._limit} open tasks, which is as many as you may have. "
                "Submit more when some of them have ended.",
                retry_after=max(int(_EVERY_SECONDS), self._speed.retry_after(lane)),
            )
        count.left -= 1

    def _count(self, tenant: str) -> _Count:
        found = self._index.count_open(tenant, self._now(), self._limit)
        if len(self._counts) >= _REMEMBERED_TENANTS:
            self._counts.clear()
        count = _Count(self._monotonic(), found, max(1, (self._limit - found) // _ENVIRONMENTS))
        self._counts[tenant] = count
        return count
