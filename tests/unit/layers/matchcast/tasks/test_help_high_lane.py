"""Priority under backlog: workers of the normal lane help the high one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from matchcast.adapters.in_memory import InMemoryLanes, InMemoryTasks
from matchcast.domain.task import Priority, Task, TaskStatus
from matchcast.errors import QueueUnavailable
from matchcast.ports import Received
from matchcast.tasks.circuit_breaker import CircuitBreaker
from matchcast.tasks.help_high_lane import HelpHighLane
from matchcast.tasks.run import RunPredictions
from matchcast.tasks.settle import Outcome
from tests.support.releases import MATCHES, Release
from tests.support.tasks import NOW, a_task

MATCH = next(iter(MATCHES))


@dataclass
class Lanes(InMemoryLanes):
    """Lanes of which one call does not come through."""

    down: str = ""

    def take(self, lane: Priority) -> Sequence[Received]:
        self._check("take")
        return super().take(lane)

    def remove(self, lane: Priority, taken: Sequence[Received]) -> None:
        self._check("remove")
        super().remove(lane, taken)

    def _check(self, call: str) -> None:
        if call == self.down:
            raise QueueUnavailable(f"no {call}")


@dataclass
class Helper:
    release: Release = field(default_factory=Release)
    tasks: InMemoryTasks = field(default_factory=InMemoryTasks)
    lanes: Lanes = field(default_factory=Lanes)
    receives: int = 99

    def send(self, number: int, priority: Priority = Priority.HIGH) -> list[Task]:
        sent = [a_task(match_id=MATCH, priority=priority) for _ in range(number)]
        for task in sent:
            self.tasks.create(task)
            self.lanes.send(task)
        return sent

    def __call__(self) -> list[Outcome]:
        with ThreadPoolExecutor(4) as threads:
            run = RunPredictions(
                predictor=self.release.predictor(),
                tasks=self.tasks,
                lanes=self.lanes,
                threads=threads,
                now=lambda: NOW,
                breaker=CircuitBreaker(),
                max_attempts=3,
            )
            return HelpHighLane(run, self.lanes).help(self._has_time)

    def _has_time(self) -> bool:
        self.receives -= 1
        return self.receives >= 0

    def statuses(self, tasks: list[Task]) -> set[TaskStatus]:
        return {task.status for task in self.tasks.get_many([task.task_id for task in tasks]).values()}


def test_everything_that_waits_in_the_high_lane_is_done_and_deleted() -> None:
    # GIVEN tasks in both lanes
    helper = Helper()
    high, normal = helper.send(25), helper.send(3, Priority.NORMAL)

    # WHEN a worker of the normal lane helps
    outcomes = helper()

    # THEN
    assert len(outcomes) == 25
    assert helper.statuses(high) == {TaskStatus.SUCCEEDED}
    assert helper.statuses(normal) == {TaskStatus.QUEUED}
    assert len(helper.lanes.removed) == 25
    assert helper.release.model.calls == [10, 10, 5]


def test_it_stops_when_its_time_is_over_and_leaves_the_rest_to_others() -> None:
    helper = Helper(receives=2)
    helper.send(25)

    assert len(helper()) == 20
    assert len(helper.lanes.take(Priority.HIGH)) == 5


def test_what_must_come_again_is_not_deleted_and_ends_the_help() -> None:
    # GIVEN tasks in the high lane, and a fault that will pass
    helper = Helper()
    tasks = helper.send(15)
    helper.release.objects.put("snapshots/manifest.json", b"{")  # no snapshot can be read: a passing fault

    # WHEN a worker of the normal lane helps
    outcomes = helper()

    # THEN
    assert [outcome.done for outcome in outcomes] == [False] * 10
    assert helper.lanes.removed == []
    assert helper.statuses(tasks) == {TaskStatus.QUEUED}
    assert len(helper.lanes.postponed) == 10


@pytest.mark.parametrize(("call", "succeeded"), [("take", 0), ("remove", 15)])
def test_a_queue_out_of_reach_ends_nothing_and_loses_nothing(call: str, succeeded: int) -> None:
    helper = Helper(lanes=Lanes(down=call))
    helper.send(15)

    outcomes = helper()

    assert sum(outcome.done for outcome in outcomes) == succeeded
    assert helper.lanes.removed == []
