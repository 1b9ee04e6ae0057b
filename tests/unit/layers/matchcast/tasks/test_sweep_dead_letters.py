"""The sweep: tasks whose messages the queue dead-lettered fail, and their letters stay."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from matchcast.adapters.in_memory import InMemoryLanes, InMemoryTasks
from matchcast.domain.task import Priority, Task, TaskStatus
from matchcast.errors import QueueUnavailable, StorageUnavailable
from matchcast.messages import encode
from matchcast.ports import DeadLetter
from matchcast.tasks.dead_letters import DEAD_LETTERED
from matchcast.tasks.sweep import HIDE_SECONDS, SweepDeadLetters, Swept
from tests.support.tasks import NOW, a_prediction, a_task
from tests.support.template import load


@dataclass
class Hiding(InMemoryLanes):
    """Dead letters that remember which were hidden and which were released."""

    hidden: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)

    def receive(self, queue: str, hide_seconds: int) -> Generator[DeadLetter, None, None]:
        for letter in super().receive(queue, hide_seconds):
            assert self.released == [], "a letter that is released at once would come again"
            self.hidden.append(letter.message_id)
            yield letter

    def release(self, *letters: DeadLetter) -> None:
        self.released += [letter.message_id for letter in letters]


@dataclass
class Counting(InMemoryTasks):
    """Tasks that count how often they are read."""

    reads: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        InMemoryTasks.__init__(self)

    def get_many(self, task_ids: Sequence[str]) -> Mapping[str, Task]:
        self.reads += [len(task_ids)] * bool(task_ids)
        return super().get_many(task_ids)


@dataclass
class Desk:
    tasks: InMemoryTasks = field(default_factory=InMemoryTasks)
    lanes: Hiding = field(default_factory=Hiding)

    def __call__(self, has_time: Callable[[], bool] = lambda: True) -> Swept:
        with ThreadPoolExecutor(4) as threads:
            return SweepDeadLetters(self.lanes, self.tasks, lambda: NOW, threads).sweep(has_time)

    def bury(self, task: Task, cause: str | None = None) -> Task:
        self.lanes.bury(task.priority, encode(task), cause, task.task_id)
        return task

    def read(self, task: Task) -> Task:
        return self.tasks.get_many([task.task_id])[task.task_id]


@pytest.mark.parametrize("lane", list(Priority))
def test_the_task_of_a_letter_without_a_cause_has_failed_and_says_why(lane: Priority) -> None:
    desk = Desk()
    task = desk.bury(a_task(priority=lane))
    desk.tasks.create(task)

    assert desk() == Swept(letters=1, failed=1)
    failed = desk.read(task)
    assert (failed.status, failed.error, failed.completed_at) == (TaskStatus.FAILED, DEAD_LETTERED, NOW)
    assert "try it again" in DEAD_LETTERED.detail


def test_a_task_whose_record_was_never_put_has_failed_too() -> None:
    desk = Desk()
    task = desk.bury(a_task())

    assert desk().failed == 1
    assert desk.read(task).status is TaskStatus.FAILED


def test_letters_stay_and_are_visible_again() -> None:
    desk = Desk()
    for _ in range(3):
        desk.bury(a_task())

    desk()

    assert len(desk.lanes.dead_letters) == 3
    assert sorted(desk.lanes.released) == sorted(desk.lanes.hidden) == ["letter-0", "letter-1", "letter-2"]


def test_a_letter_that_a_worker_buried_is_not_swept() -> None:
    tasks = Counting()
    desk = Desk(tasks=tasks)
    task = desk.bury(a_task(), cause="model-unavailable")
    tasks.create(task)

    assert desk() == Swept(letters=1, failed=0)
    assert tasks.reads == []
    assert desk.read(task).status is TaskStatus.QUEUED


def test_the_records_of_many_letters_are_read_together() -> None:
    # GIVEN more letters in both lanes than the sweep takes at once
    desk = Desk(tasks=(tasks := Counting()))
    for number in range(1100):
        desk.bury(a_task(priority=Priority.HIGH if number < 50 else Priority.NORMAL))
    # WHEN they are swept
    # THEN
    assert desk() == Swept(letters=1100, failed=1100)
    assert tasks.reads == [50, 500, 500, 50]


def test_many_letters_of_one_lane_do_not_keep_the_other_waiting() -> None:
    # GIVEN many letters in the high lane, one in the normal lane, and little time
    desk = Desk()
    for _ in range(1100):
        desk.bury(a_task(priority=Priority.HIGH))
    other = desk.bury(a_task(priority=Priority.NORMAL))
    # WHEN they are swept until the time is over
    swept = desk(lambda: len(desk.lanes.hidden) < 501)
    # THEN both lanes had their turn, and what was hidden is visible again
    assert (swept, desk.read(other).status) == (Swept(letters=501, failed=501), TaskStatus.FAILED)
    assert set(desk.lanes.released) == set(desk.lanes.hidden)


def test_letters_are_visible_again_when_the_table_does_not_answer() -> None:
    class Broken(InMemoryTasks):
        def get_many(self, task_ids: Sequence[str]) -> Mapping[str, Task]:
            raise StorageUnavailable("no answer")

    desk = Desk(tasks=Broken())
    desk.bury(a_task())

    with pytest.raises(StorageUnavailable):
        desk()
    assert desk.lanes.released == ["letter-0"]


def test_a_sweep_that_cannot_hand_letters_back_has_swept_all_the_same() -> None:
    class Stuck(Hiding):
        def release(self, *letters: DeadLetter) -> None:
            raise QueueUnavailable("no answer")

    desk = Desk(lanes=Stuck())
    desk.bury(a_task())

    assert desk() == Swept(letters=1, failed=1)


def test_letters_are_hidden_longer_than_a_sweep_runs_and_no_longer_than_until_the_next() -> None:
    sweep = load()["Resources"]["SweepDeadLettersFunction"]["Properties"]

    assert sweep["Timeout"] < HIDE_SECONDS < 300
    assert sweep["Events"]["Schedule"]["Properties"]["Schedule"] == "rate(5 minutes)"


@pytest.mark.parametrize("status", [status for status in TaskStatus if status.is_final])
def test_a_task_that_is_over_is_left_alone(status: TaskStatus) -> None:
    desk = Desk()
    task = desk.bury(a_task())
    over = task.model_copy(update={"status": status, "result": a_prediction()})
    desk.tasks.create(over)

    assert desk().failed == 0
    assert desk.read(task) == over


def test_a_task_that_was_redriven_is_left_alone() -> None:
    desk = Desk()
    task = desk.bury(a_task())
    desk.tasks.create(task.model_copy(update={"generation": 1}))

    assert desk().failed == 0
    assert desk.read(task).status is TaskStatus.QUEUED


def test_a_task_that_ends_while_it_is_swept_keeps_its_end() -> None:
    # GIVEN a task that is cancelled right before the sweep fails it
    class Ending(InMemoryTasks):
        def finish(self, task: Task) -> bool:
            super().finish(task.model_copy(update={"status": TaskStatus.CANCELLED, "error": None}))
            return super().finish(task)

    desk = Desk(tasks=Ending())
    task = desk.bury(a_task())
    desk.tasks.create(task)

    # WHEN its letter is swept
    # THEN
    assert desk().failed == 0
    assert desk.read(task).status is TaskStatus.CANCELLED


def test_an_unreadable_letter_is_left_for_operators() -> None:
    desk = Desk()
    desk.lanes.bury(Priority.HIGH, "no json", None, None)

    assert desk() == Swept(letters=1, failed=0)
    assert len(desk.lanes.dead_letters) == 1


def test_sweeping_again_changes_nothing() -> None:
    desk = Desk()
    task = desk.bury(a_task())
    desk()
    first = desk.read(task)
    desk.lanes.released.clear()

    assert desk() == Swept(letters=1, failed=0)
    assert desk.read(task) == first


def test_letters_that_come_one_by_one_without_end_do_not_keep_a_sweep_beyond_its_time() -> None:
    # GIVEN a lane in which there is always one more letter
    class Endless(Hiding):
        def receive(self, queue: str, hide_seconds: int) -> Generator[DeadLetter, None, None]:
            while len(self.hidden) < 400:
                self.bury(Priority.HIGH, "no json", None, None)
                self.hidden.append(self.dead_letters[-1].message_id)
                yield self.dead_letters[-1]

    desk, looks = Desk(lanes=Endless()), iter(range(20))

    # WHEN it is swept
    swept = desk(lambda: next(looks, None) is not None)

    # THEN it ends when there is no more time, and every letter is visible again
    assert swept.letters == 20
    assert sorted(desk.lanes.released) == sorted(desk.lanes.hidden)
