"""Priority under backlog: workers of the normal lane help the high one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from matchcast.domain.task import Priority, Task, TaskStatus
from matchcast.tasks.help_high_lane import HelpHighLane
from matchcast.tasks.settle import Outcome
from tests.support.run_predictions import Lanes, Worker, queued


@dataclass
class Helper(Worker):
    """A worker of the normal lane that has time for so many receives of the high one."""

    receives: int = 99

    def send(self, number: int, priority: Priority = Priority.HIGH) -> list[Task]:
        sent = queued(self, number, priority=priority)
        for task in sent:
            self.lanes.send(task)
        return sent

    def help(self) -> list[Outcome]:
        with self.predictions() as predictions:
            return HelpHighLane(predictions, self.lanes).help(self._has_time)

    def _has_time(self) -> bool:
        self.receives -= 1
        return self.receives >= 0

    def statuses(self, tasks: list[Task]) -> set[TaskStatus]:
        return {self.task(task).status for task in tasks}


def test_everything_that_waits_in_the_high_lane_is_done_and_deleted() -> None:
    # GIVEN tasks in both lanes
    helper = Helper()
    high, normal = helper.send(25), helper.send(3, Priority.NORMAL)

    # WHEN a worker of the normal lane helps
    outcomes = helper.help()

    # THEN
    assert len(outcomes) == 25
    assert helper.statuses(high) == {TaskStatus.SUCCEEDED}
    assert helper.statuses(normal) == {TaskStatus.QUEUED}
    assert len(helper.lanes.removed) == 25
    assert helper.release.model.calls == [10, 10, 5]


def test_it_stops_when_its_time_is_over_and_leaves_the_rest_to_others() -> None:
    helper = Helper(receives=2)
    helper.send(25)

    assert len(helper.help()) == 20
    assert len(helper.lanes.take(Priority.HIGH)) == 5


def test_what_must_come_again_is_not_deleted_and_ends_the_help() -> None:
    # GIVEN tasks in the high lane, and a fault that will pass
    helper = Helper()
    tasks = helper.send(15)
    helper.release.objects.put("snapshots/manifest.json", b"{")  # no snapshot can be read: a passing fault

    # WHEN a worker of the normal lane helps
    outcomes = helper.help()

    # THEN
    assert [outcome.done for outcome in outcomes] == [False] * 10
    assert helper.lanes.removed == []
    assert helper.statuses(tasks) == {TaskStatus.QUEUED}
    assert len(helper.lanes.postponed) == 10


@pytest.mark.parametrize(("call", "succeeded"), [("take", 0), ("remove", 15)])
def test_a_queue_out_of_reach_ends_nothing_and_loses_nothing(call: str, succeeded: int) -> None:
    helper = Helper(lanes=Lanes(down=call))
    helper.send(15)

    outcomes = helper.help()

    assert sum(outcome.done for outcome in outcomes) == succeeded
    assert helper.lanes.removed == []
