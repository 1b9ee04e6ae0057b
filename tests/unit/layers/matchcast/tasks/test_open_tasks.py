"""Backpressure: a tenant with as many open tasks as it may have is refused, with a time to retry after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from matchcast.adapters.in_memory import InMemorySpeeds, InMemoryTasks
from matchcast.domain.task import Priority, Task, TaskStatus
from matchcast.errors import TooManyTasks
from matchcast.tasks.lane_speed import LaneSpeed
from matchcast.tasks.open_tasks import OpenTasks
from tests.support.tasks import NOW, a_task

LIMIT = 3


@dataclass
class Counting(InMemoryTasks):
    reads: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        InMemoryTasks.__init__(self)

    def get_many(self, task_ids: Sequence[str]) -> Mapping[str, Task]:
        self.reads["read"] += 1
        return super().get_many(task_ids)

    def list_ids(self, tenant: str, before: str | None, limit: int, match_id: str | None = None) -> Sequence[str]:
        self.reads["list"] += 1
        return super().list_ids(tenant, before, limit, match_id)


class Desk:
    """The check for tenants whose tasks were made one a second."""

    def __init__(self, *speeds: tuple[Priority, float]) -> None:
        self.tasks = Counting()
        self.now: datetime = NOW
        self.seconds = 100.0
        self.open_tasks = OpenTasks(
            tasks=self.tasks,
            index=self.tasks,
            speed=LaneSpeed(InMemorySpeeds(speeds)),
            limit=LIMIT,
            now=lambda: self.now,
            monotonic=lambda: self.seconds,
        )
        self.check = self.open_tasks.check

    def put(self, *statuses: TaskStatus, tenant: str = "north", **changes: object) -> None:
        for n, status in enumerate(statuses):
            created_at = NOW - timedelta(minutes=1) + timedelta(seconds=n)
            self.tasks.create(a_task(tenant=tenant, status=status, created_at=created_at, **changes))


QUEUED, SUCCEEDED = TaskStatus.QUEUED, TaskStatus.SUCCEEDED


@pytest.mark.parametrize(
    "statuses",
    [(), (QUEUED,) * (LIMIT - 1), (SUCCEEDED,) * 10, (QUEUED, SUCCEEDED, QUEUED, QUEUED)],
    ids=["none", "one less", "all over", "the third newest is over"],
)
def test_a_tenant_below_the_limit_may_submit(statuses: tuple[TaskStatus, ...]) -> None:
    desk = Desk()
    desk.put(*statuses)

    desk.check("north")


def test_a_tenant_at_the_limit_is_refused_with_a_time_to_retry_after() -> None:
    desk = Desk((Priority.NORMAL, 41.5))
    desk.put(*[QUEUED] * LIMIT)

    with pytest.raises(TooManyTasks, match=f"about {LIMIT} open tasks") as caught:
        desk.check("north")

    assert (caught.value.status, caught.value.retry_after) == (429, 42)


def test_retry_after_is_never_shorter_than_the_time_to_the_next_count() -> None:
    desk = Desk()
    desk.put(*[QUEUED] * LIMIT)

    with pytest.raises(TooManyTasks) as caught:
        desk.check("north")

    assert caught.value.retry_after == 2


def test_a_busy_tenant_does_not_hold_up_other_tenants() -> None:
    desk = Desk()
    desk.put(*[QUEUED] * LIMIT)

    desk.check("south")


def test_a_task_that_expired_in_its_lane_is_not_open() -> None:
    desk = Desk()
    desk.put(*[QUEUED] * LIMIT, start_by=NOW - timedelta(seconds=1))

    desk.check("north")


def test_the_table_is_asked_once_in_two_seconds_for_each_tenant() -> None:
    # GIVEN
    desk = Desk()
    desk.put(*[SUCCEEDED] * LIMIT)

    # WHEN one tenant submits many times
    for _ in range(50):
        desk.check("north")

    # THEN
    assert desk.tasks.reads == {"list": 1, "read": 1}

    # WHEN another tenant submits, and the first one again after two seconds
    desk.check("south")
    desk.seconds += 2
    desk.check("north")

    # THEN
    assert desk.tasks.reads["list"] == 3


def test_a_tenant_may_submit_again_when_its_tasks_have_ended() -> None:
    # GIVEN a tenant at its limit
    desk = Desk()
    desk.put(*[QUEUED] * LIMIT)
    with pytest.raises(TooManyTasks):
        desk.check("north")

    # WHEN its tasks end, and the next count is due
    for task_id in desk.tasks.list_ids("north", None, 10):
        task = desk.tasks.get_many([task_id])[task_id]
        desk.tasks.finish(task.model_copy(update={"status": SUCCEEDED}))
    desk.seconds += 2

    # THEN it may submit
    desk.check("north")


def test_what_is_remembered_of_tenants_is_limited() -> None:
    desk = Desk()

    for number in range(2500):
        desk.check(f"tenant-{number}")

    assert len(desk.open_tasks._known) <= 1000
