"""Endings that several parts write at once: a client that read one final state never reads another."""

from __future__ import annotations

from datetime import timedelta

import pytest

from matchcast.adapters.in_memory import InMemoryTasks
from matchcast.domain.task import Task, TaskStatus
from matchcast.errors import Conflict
from matchcast.tasks.track import TrackTasks
from tests.support.tasks import NOW, a_prediction, a_task

SUCCEEDED = {"status": TaskStatus.SUCCEEDED, "result": a_prediction(), "completed_at": NOW}


def tracking(store: InMemoryTasks) -> TrackTasks:
    return TrackTasks(store, store, lambda: NOW)


def late(store: InMemoryTasks) -> Task:
    """Return a task that was not started in time."""
    task = a_task(start_by=NOW - timedelta(seconds=1))
    store.create(task)
    return task


@pytest.mark.parametrize("way", ["status", "list", "cancel"])
def test_a_task_that_was_read_as_expired_stays_expired_though_a_slow_worker_ends_it(way: str) -> None:
    store = InMemoryTasks()
    task, track = late(store), tracking(store)

    # GIVEN a worker that began in time and is still predicting, and a reader who sees the task as expired
    if way == "status":
        seen = track.status("north", task.task_id)
    elif way == "list":
        (seen,) = track.list("north").tasks
    else:
        with pytest.raises(Conflict, match="expired"):
            track.cancel("north", task.task_id)
        seen = track.status("north", task.task_id)

    # WHEN the worker writes its result
    assert not store.finish(task.model_copy(update=SUCCEEDED))

    # THEN every reader sees what the first one saw
    assert (seen.status, seen.completed_at) == (TaskStatus.EXPIRED, NOW)
    assert track.status("north", task.task_id) == seen


def test_a_worker_that_is_faster_than_the_reader_is_what_the_reader_sees() -> None:
    # GIVEN a late task that succeeds right before its reader writes its expiry
    class Overtaken(InMemoryTasks):
        def finish(self, task: Task) -> bool:
            super().finish(task.model_copy(update=SUCCEEDED))
            return super().finish(task)

    store = Overtaken()
    task = late(store)

    # WHEN it is read
    # THEN
    assert tracking(store).status("north", task.task_id).status is TaskStatus.SUCCEEDED


def test_a_task_is_cancelled_though_it_failed_and_was_redriven_in_between() -> None:
    # GIVEN
    class Redriven(InMemoryTasks):
        """A table in which a task fails and is redriven between the canceller's look and write."""

        def finish(self, task: Task) -> bool:
            present = self._tasks[task.task_id]
            if present.generation == 0:
                super().finish(present.model_copy(update={"status": TaskStatus.FAILED}))
                self.supersede(present.model_copy(update={"generation": 1}))
            return super().finish(task)

    store = Redriven()
    task = a_task()
    store.create(task)

    # WHEN
    cancelled = tracking(store).cancel("north", task.task_id)

    # THEN
    assert (cancelled.status, cancelled.generation) == (TaskStatus.CANCELLED, 1)
    assert store.get_many([task.task_id])[task.task_id] == cancelled


def test_a_task_that_ends_before_it_is_cancelled_says_how_it_ended() -> None:
    # GIVEN a task that succeeds right before its cancellation is written
    class Ending(InMemoryTasks):
        def finish(self, task: Task) -> bool:
            super().finish(task.model_copy(update=SUCCEEDED))
            return super().finish(task)

    store = Ending()
    task = a_task()
    store.create(task)

    # WHEN it is cancelled
    # THEN
    with pytest.raises(Conflict, match="is succeeded already"):
        tracking(store).cancel("north", task.task_id)


def test_cancelling_twice_is_cancelling_once() -> None:
    store = InMemoryTasks()
    task = a_task()
    store.create(task)
    track = tracking(store)

    assert track.cancel("north", task.task_id) == track.cancel("north", task.task_id)
