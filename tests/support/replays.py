"""Callbacks in simulated time, with the records of tasks and batches that replays look at."""

from __future__ import annotations

from matchcast.adapters.in_memory import InMemoryTasks
from matchcast.webhooks.replay import ReplayEvents
from tests.support.batches import InMemoryBatches
from tests.support.webhooks import World, render


class Replays(World):
    """A world with the records of tasks and batches, and what replays their events."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks, self.batches = InMemoryTasks(), InMemoryBatches()

    @property
    def replay(self) -> ReplayEvents:
        return ReplayEvents(
            deliveries=self.deliveries,
            queue=self.queue,
            tasks=self.tasks,
            batches=self.batches,
            render=render,
            now=self.now,
        )
