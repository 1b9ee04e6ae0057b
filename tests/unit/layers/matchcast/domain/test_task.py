"""The lifecycle of a task."""

from __future__ import annotations

import uuid
from datetime import timedelta
from itertools import pairwise

import pytest
from pydantic import ValidationError

from matchcast.domain.task import CREATE, FINISH, SUPERSEDE, Task, TaskStatus, WriteRule, new_task_id
from tests.support.tasks import NOW, a_task


def replaceable(rule: WriteRule) -> set[tuple[TaskStatus, int]]:
    """Return the records, by status and generation, that a write of the fifth generation may replace."""
    task = a_task(generation=5)
    return {
        (status, generation)
        for status in TaskStatus
        for generation in range(10)
        if rule.allows(task.model_copy(update={"status": status, "generation": generation}), task)
    }


def test_only_a_redrive_replaces_a_final_state_and_only_in_the_next_generation() -> None:
    assert replaceable(CREATE) == set()
    assert replaceable(FINISH) == {(TaskStatus.QUEUED, 5)}
    assert replaceable(SUPERSEDE) == {(TaskStatus.FAILED, 4)}


def test_a_task_without_a_record_may_be_created_and_finished_but_not_reopened() -> None:
    assert [rule.allows(None, a_task()) for rule in (CREATE, FINISH, SUPERSEDE)] == [True, True, False]


@pytest.mark.parametrize("features", [None, {"elo": 1.5}])
def test_a_task_predicts_either_a_match_or_features(features: dict[str, float] | None) -> None:
    match_id = None if features is None else "e0-2026-03-07-alder-birch"

    with pytest.raises(ValidationError, match="either match_id or features"):
        a_task(match_id=match_id, features=features)


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
