"""Advice on when to ask again."""

from __future__ import annotations

import pytest

from matchcast.adapters.in_memory import InMemorySpeeds
from matchcast.domain.task import Priority
from matchcast.errors import StorageUnavailable
from matchcast.tasks.lane_speed import LaneSpeed


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Unreachable(InMemorySpeeds):
    def read(self, lane: Priority) -> float | None:
        raise StorageUnavailable("down")

    def write(self, lane: Priority, seconds: float) -> None:
        raise StorageUnavailable("down")


@pytest.mark.parametrize(("seconds", "advice"), [(0.02, 1), (1.2, 2), (41.0, 41), (5000.0, 300)])
def test_the_advice_is_the_time_that_tasks_lately_took(seconds: float, advice: int) -> None:
    speeds = InMemorySpeeds()
    LaneSpeed(speeds).observe(Priority.NORMAL, seconds)

    assert LaneSpeed(speeds).retry_after(Priority.NORMAL) == advice
    assert LaneSpeed(speeds).retry_after(Priority.HIGH) == 1


def test_the_time_is_smoothed_and_published_every_five_seconds() -> None:
    # GIVEN
    speeds, clock = InMemorySpeeds(), Clock()
    speed = LaneSpeed(speeds, clock)

    # WHEN two times are observed at once
    speed.observe(Priority.HIGH, 10)
    speed.observe(Priority.HIGH, 20)

    # THEN only the first is published
    assert speeds.read(Priority.HIGH) == 10

    # WHEN another one follows after five seconds
    clock.now = 5.0
    speed.observe(Priority.HIGH, 12)

    # THEN the smoothed time is published
    assert speeds.read(Priority.HIGH) == pytest.approx(12.0)


def test_the_advice_is_read_every_five_seconds() -> None:
    speeds, clock = InMemorySpeeds(), Clock()
    speed = LaneSpeed(speeds, clock)
    assert speed.retry_after(Priority.HIGH) == 1
    speeds.write(Priority.HIGH, 30)

    assert speed.retry_after(Priority.HIGH) == 1
    clock.now = 5.0
    assert speed.retry_after(Priority.HIGH) == 30


def test_a_table_out_of_reach_costs_the_advice_and_nothing_else() -> None:
    speed = LaneSpeed(Unreachable())

    speed.observe(Priority.HIGH, 10)

    assert speed.retry_after(Priority.HIGH) == 1
