"""Reopening a failed task: in memory and on DynamoDB, by the same tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import boto3
import pytest

from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.adapters.in_memory import InMemoryTasks
from matchcast.domain.task import Task, TaskError, TaskStatus
from matchcast.errors import StorageUnavailable
from matchcast.ports import TaskStore
from tests.support.tasks import NOW, a_prediction, a_task

REASON = TaskError(code="model-failed", detail="It failed.")


@pytest.fixture(params=["in memory", "dynamodb"])
def tasks(request: pytest.FixtureRequest) -> TaskStore:
    if request.param == "in memory":
        return InMemoryTasks()
    names = request.getfixturevalue("aws")
    return DynamoDBTasks(boto3.client("dynamodb"), names["TasksTableName"], shards=3)


def read(tasks: TaskStore, task: Task) -> Task:
    return tasks.get_many([task.task_id])[task.task_id]


def a_failed_task(tasks: TaskStore, **changes: Any) -> Task:
    task = a_task(start_by=NOW, **changes)
    tasks.create(task)
    tasks.record_attempt(task)
    tasks.finish(task.model_copy(update={"status": TaskStatus.FAILED, "error": REASON, "completed_at": NOW}))
    return read(tasks, task)


def reopened(task: Task) -> Task:
    changes = {"status": TaskStatus.QUEUED, "generation": task.generation + 1, "attempts": 0}
    nothing = dict.fromkeys(("error", "completed_at", "start_by"))
    return task.model_copy(update={**changes, **nothing, "expires_at": NOW + timedelta(days=3)})


def test_a_failed_task_is_queued_again_and_nothing_of_its_end_is_left(tasks: TaskStore) -> None:
    again = reopened(a_failed_task(tasks))

    assert tasks.supersede(again)
    assert read(tasks, again) == again


def test_a_reopened_task_ends_only_in_its_new_generation(tasks: TaskStore) -> None:
    # GIVEN a failed task that was reopened
    before = a_failed_task(tasks)
    again = reopened(before)
    tasks.supersede(again)
    ended = {"status": TaskStatus.SUCCEEDED, "result": a_prediction(), "completed_at": NOW}

    # WHEN a late worker ends the old generation
    # THEN it is refused
    late = before.model_copy(update=ended)
    assert not tasks.finish(late)
    assert tasks.record_attempt(before) is None

    # WHEN the new generation is attempted and ends
    assert tasks.record_attempt(again) == 1
    assert tasks.finish(again.model_copy(update=ended))

    # THEN
    final = read(tasks, again)
    assert (final.status, final.generation, final.attempts, final.error) == (TaskStatus.SUCCEEDED, 1, 1, None)


def test_of_two_redrives_one_wins(tasks: TaskStore) -> None:
    again = reopened(a_failed_task(tasks))

    assert tasks.supersede(again)
    assert not tasks.supersede(again)


@pytest.mark.parametrize("status", [status for status in TaskStatus if status is not TaskStatus.FAILED])
def test_a_task_that_did_not_fail_is_not_reopened(tasks: TaskStore, status: TaskStatus) -> None:
    task = a_task()
    tasks.create(task)
    tasks.finish(task.model_copy(update={"status": status}))
    before = read(tasks, task)

    assert not tasks.supersede(reopened(before))
    assert read(tasks, task) == before


@pytest.mark.parametrize("generation", [1, 3])
def test_a_failure_of_another_generation_is_not_reopened(tasks: TaskStore, generation: int) -> None:
    before = a_failed_task(tasks, generation=1)

    assert not tasks.supersede(reopened(before).model_copy(update={"generation": generation}))
    assert read(tasks, before) == before


def test_a_task_without_a_record_is_not_reopened(tasks: TaskStore) -> None:
    task = a_task(generation=1)

    assert not tasks.supersede(task)
    assert dict(tasks.get_many([task.task_id])) == {}


def test_a_reopened_task_stays_where_it_was_in_the_list(tasks: TaskStore) -> None:
    older, newer = a_failed_task(tasks), a_task(created_at=NOW + timedelta(seconds=1))
    tasks.create(newer)
    tasks.supersede(reopened(older))

    listed: Any = tasks
    assert list(listed.list_ids("north", None, 10).ids) == [newer.task_id, older.task_id]


def test_a_missing_table_is_reported_as_unavailable(aws: dict[str, str]) -> None:
    tasks = DynamoDBTasks(boto3.client("dynamodb"), f"{aws['TasksTableName']}-gone", shards=1)

    with pytest.raises(StorageUnavailable, match="tasks table"):
        tasks.supersede(a_task(generation=1))
