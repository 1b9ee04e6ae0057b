"""The sweep as the schedule starts it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import pytest

from functions.sweep_dead_letters import handler
from matchcast.adapters.in_memory import InMemoryLanes, InMemoryTasks
from matchcast.batches.sweep import SweepBatchLetters
from matchcast.domain.task import Priority, utc_now
from matchcast.messages import encode
from matchcast.tasks.sweep import SweepDeadLetters
from tests.support.batches import InMemoryBatches
from tests.support.http_events import Context
from tests.support.parts import put
from tests.support.tasks import NOW, a_task

EVENT = json.loads((Path(handler.__file__).parent / "event.json").read_text())


@dataclass(frozen=True)
class Timed(Context):
    """An invocation with some time left each time that it is asked."""

    left: Callable[[], int] = lambda: 240_000

    def get_remaining_time_in_millis(self) -> int:
        return self.left()


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> InMemoryLanes:
    """Letters of more tasks than the sweep takes at once."""
    lanes, tasks = InMemoryLanes(), InMemoryTasks()
    for _ in range(1200):
        lanes.bury(Priority.HIGH, encode(a_task(priority=Priority.HIGH)), None, None)
    put(
        monkeypatch.setattr,
        {
            "sweeps.sweep_batch_letters": SweepBatchLetters(InMemoryLanes(), InMemoryBatches(), utc_now),
            "sweeps.sweep_dead_letters": SweepDeadLetters(lanes, tasks, lambda: NOW),
        },
    )
    return lanes


@pytest.mark.usefixtures("lanes")
def test_the_answer_says_how_many_letters_were_seen_and_how_many_tasks_failed() -> None:
    assert handler.lambda_handler(EVENT, Timed()) == {"letters": 1200, "failed": 1200}


@pytest.mark.usefixtures("lanes")
def test_a_sweep_stops_while_there_is_still_time_to_hand_the_letters_back() -> None:
    # GIVEN an invocation that has little time left after 701 looks at the clock: one for each letter and three more
    times = chain(repeat(60_000, 701), repeat(44_000))
    # WHEN it sweeps
    # THEN it ends, and the next one sees to the rest
    assert handler.lambda_handler(EVENT, Timed(left=lambda: next(times))) == {"letters": 698, "failed": 698}
    assert handler.lambda_handler(EVENT, Timed()) == {"letters": 1200, "failed": 502}
