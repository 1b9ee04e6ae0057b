"""Backpressure: a tenant with as many open tasks as it may have is refused, with a time to retry after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from matchcast.adapters.in_memory import InMemorySpeeds, InMemoryTasks
from matchcast.domain.task import Priority, TaskStatus
from matchcast.errors import TooManyTasks
from matchcast.tasks.lane_speed import LaneSpeed
from matchcast.tasks.open_tasks import OpenTasks
from tests.support.tasks import NOW, a_task

LIMIT = 3


@dataclass
class Counting(InMemoryTasks):
    counts: int = 0

    def __post_init__(self) -> None:
        InMemoryTasks.__init__(self)

    def count_open(self, tenant: str, now: datetime, most: int) -> int:
        self.counts += 1
        return super().count_open(tenant, now, most)


class Desk:
    """The check for tenants, on one or more environments that share the table and the clock."""

    def __init__(self, *speeds: tuple[Priority, float], limit: int = LIMIT, environments: int = 1) -> None:
        self.tasks = Counting()
        self.now: datetime = NOW
        self.seconds = 100.0
        self.environments = [
            OpenTasks(
                index=self.tasks,
                speed=LaneSpeed(InMemorySpeeds(speeds)),
                limit=limit,
                now=lambda: self.now,
                monotonic=lambda: self.seconds,
            )
            for _ in range(environments)
        ]

    def check(self, tenant: str, lane: Priority = Priority.NORMAL) -> None:
        self.environments[0].check(tenant, lane)

    def put(self, *statuses: TaskStatus, tenant: str = "north", **changes: object) -> None:
        for n, status in enumerate(statuses):
            created_at = NOW - timedelta(minutes=1) + timedelta(seconds=n)
            self.tasks.create(a_task(tenant=tenant, status=status, created_at=created_at, **changes))

    def submits(self, environment: OpenTasks) -> bool:
        """Submit one task at an environment; return whether it was accepted."""
        try:
            environment.check("north", Priority.NORMAL)
        except TooManyTasks:
            return False
        self.put(QUEUED)
        return True


QUEUED, SUCCEEDED = TaskStatus.QUEUED, TaskStatus.SUCCEEDED


@pytest.mark.parametrize(
    "statuses",
    [(), (QUEUED,) * (LIMIT - 1), (SUCCEEDED,) * 10, (QUEUED, *(SUCCEEDED,) * 10, QUEUED)],
    ids=["none", "one less", "all over", "an old one is open"],
)
def test_a_tenant_below_the_limit_may_submit(statuses: tuple[TaskStatus, ...]) -> None:
    desk = Desk()
    desk.put(*statuses)

    desk.check("north")


def test_a_tenant_at_the_limit_is_refused_with_a_time_to_retry_after() -> None:
    # The oldest ones count too, whatever came after them.
    desk = Desk((Priority.NORMAL, 41.5), (Priority.HIGH, 7))
    desk.put(*[QUEUED] * LIMIT, *[SUCCEEDED] * 10)

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


def test_a_redriven_task_does_not_keep_its_tenant_from_submitting() -> None:
    # An operator's redrive of many letters brings tasks back that were counted when they were submitted.
    desk = Desk()
    desk.put(*[QUEUED] * LIMIT, generation=1)

    desk.check("north")


def test_a_tenant_far_below_the_limit_is_counted_once_in_two_seconds() -> None:
    # GIVEN
    desk = Desk(limit=10_000)
    # WHEN one tenant submits many times
    for _ in range(50):
        desk.check("north")
    # THEN
    assert desk.tasks.counts == 1
    # WHEN another tenant submits, and the first one again after two seconds
    desk.check("south")
    desk.seconds += 2
    desk.check("north")
    # THEN
    assert desk.tasks.counts == 3


def test_a_tenant_at_its_limit_is_counted_once_in_two_seconds() -> None:
    # GIVEN a tenant at its limit
    desk = Desk()
    desk.put(*[QUEUED] * LIMIT)
    # WHEN it goes on
    accepted = [desk.submits(desk.environments[0]) for _ in range(50)]
    # THEN every submission is refused, on one count
    assert (any(accepted), desk.tasks.counts) == (False, 1)


@pytest.mark.parametrize("limit", [10, 1000])
def test_a_hundred_environments_at_once_accept_no_more_than_the_limit_and_one_task_each(limit: int) -> None:
    # GIVEN environments that know nothing of each other, and a clock that stands still
    desk = Desk(limit=limit, environments=100)
    accepted = 0
    # WHEN a tenant sends all of them as much as it can, in turn
    for _ in range(3 * limit // 100 + 10):
        accepted += sum(desk.submits(environment) for environment in desk.environments)
    # THEN
    assert limit <= accepted <= limit + 100


def test_a_hundred_environments_that_count_at_the_same_time_share_the_room_that_they_see() -> None:
    # GIVEN an index that is behind: nothing that is submitted shows
    desk = Desk(limit=1000, environments=100)
    accepted = 0
    # WHEN each environment submits what one count allows
    for environment in desk.environments:
        environment.check("north", Priority.NORMAL)
        accepted += 1 + environment._counts["north"].left
    # THEN
    assert accepted == 1000


def test_a_tenant_may_submit_again_when_its_tasks_have_ended() -> None:
    # GIVEN a tenant at its limit
    desk = Desk()
    desk.put(*[QUEUED] * LIMIT)
    with pytest.raises(TooManyTasks):
        desk.check("north")

    # WHEN its tasks end, and the next count is due
    for task_id in desk.tasks.list_ids("north", None, 10).ids:
        task = desk.tasks.get_many([task_id])[task_id]
        desk.tasks.finish(task.model_copy(update={"status": SUCCEEDED}))
    desk.seconds += 2

    # THEN it may submit
    desk.check("north")


def test_what_is_remembered_of_tenants_is_limited() -> None:
    desk = Desk()

    for number in range(2500):
        desk.check(f"tenant-{number}")

    assert len(desk.environments[0]._counts) <= 1000
