"""Walks through a tenant's list of tasks, while other tasks are made and ended between any two calls of the table."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.domain.task import Task, TaskError, TaskStatus, new_task_id
from matchcast.tasks.track import TrackTasks
from tests.support.tasks import NOW, a_prediction, a_task

MATCHES = ("e0-2026-03-07-ash-birch", "e0-2026-03-07-cedar-elm")
MOST_PAGES = 500
ERROR = TaskError(code="model-failed", detail="The model gave no usable answer for this input.")


class Work:
    """Makes and ends tasks of one tenant, as its clients and the workers do."""

    def __init__(self, tasks: DynamoDBTasks, tenant: str, rng: random.Random) -> None:
        self.tasks, self.tenant, self.rng = tasks, tenant, rng
        self.made: dict[str, Task] = {}

    def make(self, around: datetime = NOW) -> None:
        """Record a task; its id may be older than those of tasks that were recorded before it."""
        created_at = around - timedelta(milliseconds=self.rng.choice([0, 0, 1, 40, 3_000]))
        task = a_task(
            task_id=new_task_id(created_at),
            tenant=self.tenant,
            match_id=self.rng.choice(MATCHES),
            created_at=created_at,
            start_by=self.rng.choice([None, NOW - timedelta(seconds=1), NOW + timedelta(minutes=1)]),
            expires_at=created_at + timedelta(hours=1),
        )
        assert self.tasks.create(task)
        self.made[task.task_id] = task

    def change(self) -> None:
        """End a task, count a failed attempt of it, or redrive it."""
        task = self.rng.choice(list(self.made.values()))
        ended = {"completed_at": NOW, "generation": task.generation}
        kind = self.rng.randrange(5)
        if kind == 0:
            self.tasks.record_attempt(task)
        elif kind == 1 and self.tasks.supersede(again := task.model_copy(update={"generation": task.generation + 1})):
            self.made[task.task_id] = again
        elif kind == 2:
            self.tasks.finish(task.model_copy(update={**ended, "status": TaskStatus.FAILED, "error": ERROR}))
        else:
            result = a_prediction(match_id=task.match_id)
            self.tasks.finish(task.model_copy(update={**ended, "status": TaskStatus.SUCCEEDED, "result": result}))

    def step(self) -> None:
        """Do one of the two."""
        if self.rng.random() < 0.5:
            self.make(NOW + timedelta(milliseconds=len(self.made)))
        else:
            self.change()


def walk(track: TrackTasks, tenant: str, limit: int, match_id: str | None = None) -> list[str]:
    """Return the ids that the pages hold, from the first to the last."""
    found: list[str] = []
    before: str | None = None
    for _ in range(MOST_PAGES):
        page = track.list(tenant, before=before, limit=limit, match_id=match_id)
        assert len(page.tasks) <= limit
        found += [task.task_id for task in page.tasks]
        before = page.next_before
        if before is None:
            return found
    raise AssertionError(f"There is no last page after {MOST_PAGES} pages.")


@contextmanager
def before_each_call(client: Any, act: Callable[[], None]) -> Iterator[None]:
    """Do something before queries and reads of many items; what it calls itself is not interrupted."""
    acting = False

    def interrupt(**_: Any) -> None:
        nonlocal acting
        if not acting:
            acting = True
            try:
                act()
            finally:
                acting = False

    events = [f"provide-client-params.dynamodb.{operation}" for operation in ("Query", "BatchGetItem")]
    for event in events:
        client.meta.events.register(event, interrupt)
    try:
        yield
    finally:
        for event in events:
            client.meta.events.unregister(event, interrupt)


def hunt(client: Any, table: str, seed: int, walks: int = 4) -> None:
    """Walk through the list of a new tenant; each walk holds, once and newest first, what was there before it."""
    rng = random.Random(seed)
    shards, tenant = rng.choice([1, 2, 3, 4, 7, 16]), f"tenant-{seed}-{rng.getrandbits(32)}"
    tasks = DynamoDBTasks(client, table, shards, rng.choice([1, 3]))
    work, track = Work(tasks, tenant, rng), TrackTasks(tasks, tasks, lambda: NOW)
    for _ in range(rng.choice([1, 30, 30])):
        work.make()
    for _ in range(walks):
        limit, match_id = rng.choice([3, 7, 13, 50, 100]), rng.choice([None, *MATCHES])
        there = {each for each, task in work.made.items() if match_id in (None, task.match_id)}
        # A walk of short pages has many calls; about twenty times something happens in between.
        often = min(1.0, 20 * limit / (shards * (len(there) + 1)))

        def act(often: float = often) -> None:
            if rng.random() < often:
                work.step()

        with before_each_call(client, act):
            found = walk(track, tenant, limit, match_id)
        assert there <= set(found), f"seed {seed}, limit {limit}, {shards} shards: {there - set(found)} are missing"
        assert found == sorted(set(found), reverse=True), f"seed {seed}, limit {limit}, {shards} shards: out of order"
