"""Submission: the message first, then the record."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from matchcast.adapters.in_memory import InMemoryKeys, InMemoryLanes, InMemoryTasks
from matchcast.domain.prediction import Subject
from matchcast.domain.task import Priority, Task
from matchcast.errors import InvalidRequest, MatchNotFound, QueueUnavailable, StageNotFound, StorageUnavailable
from matchcast.messages import decode
from matchcast.tasks.accept import IdempotencyKey
from matchcast.tasks.submit import Submission
from tests.support.releases import MATCHES
from tests.support.submissions import a_submit
from tests.support.tasks import NOW

MATCH = next(iter(MATCHES))
A_SUBMISSION = Submission(Subject(MATCH))


class ClosedLanes(InMemoryLanes):
    def send(self, task: Task, delay_seconds: int = 0) -> None:
        raise QueueUnavailable("closed")


class ClosedTable(InMemoryTasks):
    def create(self, task: Task) -> bool:
        raise StorageUnavailable("closed")


@dataclass
class Desk:
    tasks: InMemoryTasks = field(default_factory=InMemoryTasks)
    lanes: InMemoryLanes = field(default_factory=InMemoryLanes)

    def __call__(self, submission: Submission) -> Task:
        return a_submit(tasks=self.tasks, lanes=self.lanes).submit("north", submission)[0]


def test_an_accepted_task_is_in_its_lane_and_in_the_table() -> None:
    desk = Desk()

    task = desk(Submission(Subject(MATCH), priority=Priority.HIGH, start_within=60))

    ((lane, body, delay),) = desk.lanes.sent
    assert (lane, decode(body), delay) == (Priority.HIGH, task, 0)
    assert desk.tasks.get_many([task.task_id]) == {task.task_id: task}
    assert (task.start_by, task.expires_at) == (NOW + timedelta(seconds=60), NOW + timedelta(hours=1))


def test_every_submission_is_a_task_of_its_own() -> None:
    desk = Desk()

    ids = {desk(A_SUBMISSION).task_id for _ in range(100)}

    assert len(ids) == len(desk.lanes.sent) == 100


def test_each_tenant_has_keys_of_its_own() -> None:
    # GIVEN
    tasks, lanes, key = InMemoryTasks(), InMemoryLanes(), IdempotencyKey("k", "fingerprint")
    submit = a_submit(tasks=tasks, lanes=lanes, keys=InMemoryKeys())

    # WHEN two tenants send the same request with the same key, and one of them repeats it
    north, south, again = (submit.submit(tenant, A_SUBMISSION, key)[0] for tenant in ("north", "south", "north"))

    # THEN nobody is given the task of another tenant
    assert (north.tenant, south.tenant) == ("north", "south")
    assert north.task_id != south.task_id
    assert again == north


def test_features_are_checked_against_the_signature_before_anything_is_sent() -> None:
    desk = Desk()

    with pytest.raises(InvalidRequest) as caught:
        desk(Submission(Subject(features={"elo_difference": "high", "form": 1.0})))

    assert [error.pointer for error in caught.value.errors] == ["/features/elo_difference"]
    assert desk.lanes.sent == []


def test_good_features_are_accepted() -> None:
    desk = Desk()

    assert desk(Submission(Subject(features={"elo_difference": 1, "form": 1.5}))).features == {
        "elo_difference": 1,
        "form": 1.5,
    }


@pytest.mark.parametrize(
    ("submission", "error"),
    [
        (Submission(Subject("e0-2020-01-01-no-body")), MatchNotFound),
        (Submission(Subject(MATCH), stage="nowhere"), StageNotFound),
        (Submission(Subject(MATCH), start_within=3601), InvalidRequest),
    ],
)
def test_a_request_that_can_only_fail_is_refused_at_once(submission: Submission, error: type[Exception]) -> None:
    desk = Desk()

    with pytest.raises(error):
        desk(submission)

    assert desk.lanes.sent == []


def test_without_a_queue_there_is_no_task() -> None:
    desk = Desk(lanes=ClosedLanes())

    with pytest.raises(QueueUnavailable):
        desk(A_SUBMISSION)

    assert list(desk.tasks.list_ids("north", None, 10).ids) == []


def test_without_the_table_the_message_is_sent_all_the_same_and_the_client_gets_the_fault() -> None:
    desk = Desk(tasks=ClosedTable())

    with pytest.raises(StorageUnavailable):
        desk(A_SUBMISSION)

    assert len(desk.lanes.sent) == 1
