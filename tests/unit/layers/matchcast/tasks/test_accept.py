"""Acceptance: message, then record, then answer; and with a key one task however often it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from matchcast.adapters.in_memory import InMemoryKeys, InMemoryLanes, InMemoryTasks
from matchcast.domain.task import Task
from matchcast.errors import KeyReused, MatchNotFound, QueueUnavailable, StorageUnavailable
from matchcast.messages import decode
from matchcast.ports import KeyRecord
from matchcast.tasks.accept import PATIENCE_SECONDS, AcceptTask, IdempotencyKey
from tests.support.tasks import NOW, a_task

KEY = IdempotencyKey("k", "fingerprint")


@dataclass
class Desk:
    """Acceptance over in-memory parts; `while_waiting` happens in every sleep."""

    tasks: InMemoryTasks = field(default_factory=InMemoryTasks)
    lanes: InMemoryLanes = field(default_factory=InMemoryLanes)
    keys: InMemoryKeys = field(default_factory=InMemoryKeys)
    now: datetime = NOW
    slept: float = 0.0
    while_waiting: Callable[[], object] = lambda: None

    def __call__(self, key: IdempotencyKey | None = None, tenant: str = "north", delay: int = 0) -> tuple[Task, bool]:
        accept = AcceptTask(tasks=self.tasks, lanes=self.lanes, keys=self.keys, now=lambda: self.now, sleep=self._sleep)
        return accept.accept(tenant, self.make, key, delay)

    def make(self, task_id: str, created_at: datetime) -> Task:
        return a_task(task_id=task_id, created_at=created_at)

    def sent(self) -> list[str]:
        return [decode(body).task_id for _, body, _ in self.lanes.sent]

    def _sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.while_waiting()


class NoSend(InMemoryLanes):
    def send(self, task: Task, delay_seconds: int = 0) -> None:
        raise QueueUnavailable("down")


class NoRecord(InMemoryTasks):
    def create(self, task: Task) -> bool:
        raise StorageUnavailable("down")


def test_without_a_key_every_request_is_a_task_of_its_own() -> None:
    desk = Desk()

    first, second = desk(), desk()

    assert (first[1], second[1]) == (True, True)
    assert desk.sent() == [first[0].task_id, second[0].task_id]


def test_the_same_key_is_answered_with_the_same_task_as_it_is_now() -> None:
    # GIVEN a task with a key, attempted once
    desk = Desk()
    task, is_new = desk(KEY)
    desk.tasks.record_attempt(task)

    # WHEN the request is repeated
    again, is_new_again = desk(KEY)

    # THEN
    assert (is_new, is_new_again) == (True, False)
    assert again == task.model_copy(update={"attempts": 1})
    assert desk.sent() == [task.task_id]


def test_a_key_with_another_request_is_refused_and_names_the_header() -> None:
    desk = Desk()
    desk(KEY)

    with pytest.raises(KeyReused) as caught:
        desk(IdempotencyKey("k", "another fingerprint"))

    assert [error.header for error in caught.value.errors] == ["Idempotency-Key"]
    assert len(desk.sent()) == 1


def test_the_keys_of_two_tenants_are_independent() -> None:
    desk = Desk()

    assert desk(KEY, tenant="north")[0].task_id != desk(KEY, tenant="south")[0].task_id


def test_the_caller_that_loses_the_claim_waits_for_the_winners_record_and_sends_nothing() -> None:
    desk = Desk()
    # GIVEN a key that another request has just put, whose task is recorded a moment later
    other = a_task()
    desk.keys.claim("north", "k", KeyRecord(other.task_id, "fingerprint", NOW), NOW + timedelta(hours=1))
    desk.while_waiting = lambda: desk.tasks.create(other)

    # WHEN the same request comes
    task, is_new = desk(KEY)

    # THEN it is answered with that task
    assert (task, is_new, desk.sent()) == (other, False, [])
    assert 0 < desk.slept < PATIENCE_SECONDS


class Overtaken(InMemoryKeys):
    """Keys in which another request claims first."""

    def __init__(self, other: Task) -> None:
        super().__init__()
        self.other = other

    def claim(self, tenant: str, key: str, record: KeyRecord, expires_at: datetime) -> bool:
        super().claim(tenant, key, KeyRecord(self.other.task_id, record.fingerprint, NOW), expires_at)
        return super().claim(tenant, key, record, expires_at)


def test_a_claim_that_is_overtaken_ends_with_the_other_task() -> None:
    other = a_task()
    desk = Desk(keys=Overtaken(other))
    desk.tasks.create(other)

    assert desk(KEY) == (other, False)
    assert desk.sent() == []


def test_a_key_whose_owner_died_is_sent_again_under_its_first_id() -> None:
    # GIVEN a key whose task was never recorded
    desk = Desk()
    record = KeyRecord(a_task().task_id, "fingerprint", NOW - timedelta(seconds=5))
    desk.keys.claim("north", "k", record, NOW + timedelta(hours=1))

    # WHEN the request is repeated
    task, is_new = desk(KEY, delay=90)

    # THEN
    assert (task.task_id, task.created_at, is_new) == (record.task_id, record.created_at, True)
    assert desk.slept == pytest.approx(PATIENCE_SECONDS)
    assert [(decode(body).task_id, delay) for _, body, delay in desk.lanes.sent] == [(record.task_id, 90)]
    assert desk(KEY) == (task, False)


@pytest.mark.parametrize("part", ["lanes", "tasks"])
def test_after_a_fault_the_same_key_makes_the_same_task(part: str) -> None:
    # GIVEN a request that got no further than its key, or its message
    desk = Desk(**{part: {"lanes": NoSend, "tasks": NoRecord}[part]()})
    with pytest.raises((QueueUnavailable, StorageUnavailable)):
        desk(KEY)
    claimed = desk.keys.find("north", "k", NOW)
    assert claimed is not None

    # WHEN it is repeated after the fault
    desk.lanes, desk.tasks = InMemoryLanes(), InMemoryTasks()
    task, is_new = desk(KEY)

    # THEN it is the task of that key, and it was sent
    assert (task.task_id, is_new, desk.sent()) == (claimed.task_id, True, [claimed.task_id])


def test_a_request_that_is_refused_claims_no_key() -> None:
    # GIVEN a request that makes no task
    class Refusing(Desk):
        def make(self, task_id: str, created_at: datetime) -> Task:
            raise MatchNotFound("no such match")

    desk = Refusing()

    # WHEN it is sent with a key
    with pytest.raises(MatchNotFound):
        desk(KEY)

    # THEN
    assert desk.keys.find("north", "k", NOW) is None


def test_a_key_is_kept_as_long_as_its_task_and_free_afterwards() -> None:
    # GIVEN a task with a key
    desk = Desk()
    first, _ = desk(KEY)

    # WHEN the request is repeated right before the task expires
    # THEN it is answered with that task
    desk.now = first.expires_at - timedelta(seconds=1)
    assert desk(KEY)[0].task_id == first.task_id

    # WHEN the request is repeated when the task has expired
    desk.now = first.expires_at
    second, is_new = desk(KEY)

    # THEN it makes another task
    assert is_new
    assert second.task_id != first.task_id
