"""The lifecycle of a task."""

from __future__ import annotations

import uuid
from datetime import timedelta
from itertools import pairwise

import pytest

from matchcast.domain.task import TRANSITIONS, Task, TaskStatus, new_task_id
from tests.support.tasks import NOW, a_task


def test_only_a_redrive_leaves_a_final_state() -> None:
    leaving = {(old, new) for old, ways in TRANSITIONS.items() for new in ways if old.is_final}

    assert leaving == {(TaskStatus.FAILED, TaskStatus.QUEUED)}


def test_a_queued_task_may_end_in_every_final_state() -> None:
    task = a_task()

    assert all(task.may_become(status) for status in TaskStatus if status.is_final)
    assert not task.may_become(TaskStatus.QUEUED)


@pytest.mark.parametrize(
    ("late", "seen"), [(timedelta(seconds=0), TaskStatus.QUEUED), (timedelta(milliseconds=1), TaskStatus.EXPIRED)]
)
def test_a_queued_task_past_its_start_deadline_reads_as_expired(late: timedelta, seen: TaskStatus) -> None:
    task = a_task(start_by=NOW)

    assert task.status_at(NOW + late) is seen


def test_a_finished_task_never_reads_as_expired() -> None:
    task = a_task(start_by=NOW, status=TaskStatus.SUCCEEDED)

    assert task.status_at(NOW + timedelta(days=1)) is TaskStatus.SUCCEEDED


def test_an_expired_task_is_remembered_for_seven_days() -> None:
    task: Task = a_task(expires_at=NOW)

    assert not task.is_readable_at(NOW)
    assert task.is_remembered_at(NOW + timedelta(days=7) - timedelta(seconds=1))
    assert not task.is_remembered_at(NOW + timedelta(days=7))


def test_task_ids_are_uuids_of_version_7_that_sort_by_their_creation() -> None:
    moments = [NOW + timedelta(milliseconds=step) for step in range(200)]

    ids = [new_task_id(moment) for moment in moments]

    assert all(older < newer for older, newer in pairwise(ids))
    assert {uuid.UUID(text).version for text in ids} == {7}
    assert {uuid.UUID(text).variant for text in ids} == {uuid.RFC_4122}
    assert len({new_task_id(NOW) for _ in range(1000)}) == 1000
