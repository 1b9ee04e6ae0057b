"""Task stores: in memory and on DynamoDB, by the same tests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Protocol

import boto3
import pytest

from matchcast.adapters.dynamodb_records import DynamoDBSpeeds
from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.adapters.in_memory import InMemorySpeeds, InMemoryTasks
from matchcast.domain.task import Priority, Task, TaskError, TaskStatus
from matchcast.errors import StorageUnavailable
from matchcast.ports import LaneSpeeds, TaskIndex, TaskStore
from tests.support.tasks import NOW, a_prediction, a_task


class TasksTable(TaskStore, TaskIndex, Protocol):
    """Both ports of the tasks table."""


@pytest.fixture(params=["in memory", "dynamodb"])
def tasks(request: pytest.FixtureRequest) -> TasksTable:
    if request.param == "in memory":
        return InMemoryTasks()
    names = request.getfixturevalue("aws")
    return DynamoDBTasks(boto3.client("dynamodb"), names["TasksTableName"], shards=3)


def read(tasks: TasksTable, task_id: str) -> Task:
    return tasks.get_many([task_id])[task_id]


def ended(task: Task) -> Task:
    return task.model_copy(
        update={"status": TaskStatus.SUCCEEDED, "result": a_prediction(), "completed_at": NOW + timedelta(seconds=1)}
    )


def test_a_task_comes_back_as_it_was_put(tasks: TasksTable) -> None:
    # GIVEN a task with optional fields
    task = a_task(
        match_id=None,
        features={"elo": 1500.123456789, "derby": True, "form": None},
        priority="high",
        start_by=NOW,
        callback_url="https://example.com/hook",
        retry_of="older",
        batch_id="batch",
    )

    # WHEN it is put and read
    # THEN
    assert tasks.create(task)
    assert read(tasks, task.task_id) == task


def test_a_result_keeps_every_bit_of_its_probabilities(tasks: TasksTable) -> None:
    task = a_task()
    tasks.create(task)

    assert tasks.finish(ended(task))
    assert read(tasks, task.task_id) == ended(task)


def test_a_result_of_the_callers_own_features_comes_back_as_it_was(tasks: TasksTable) -> None:
    task = a_task(match_id=None, features={"elo": 1500.0})
    result = a_prediction(match_id=None, snapshot_id=None, features_as_of=None)
    error = TaskError(code="model-failed", detail="It failed.", errors=({"detail": "Wrong.", "pointer": "/a"},))
    tasks.create(task)

    assert tasks.finish(ended(task).model_copy(update={"result": result, "error": error}))
    assert read(tasks, task.task_id).result == result
    assert read(tasks, task.task_id).error == error


def test_a_second_put_loses_and_changes_nothing(tasks: TasksTable) -> None:
    task = a_task()
    tasks.create(task)

    assert not tasks.create(task.model_copy(update={"stage": "candidate"}))
    assert read(tasks, task.task_id).stage == "champion"


def test_a_worker_that_is_faster_than_the_put_writes_the_record_and_the_put_loses(tasks: TasksTable) -> None:
    task = a_task()

    assert tasks.finish(ended(task))
    assert not tasks.create(task)
    assert read(tasks, task.task_id) == ended(task)
    assert list(tasks.list_ids("north", None, 10).ids) == [task.task_id]


@pytest.mark.parametrize("first", [status for status in TaskStatus if status.is_final])
def test_a_final_state_is_written_once(tasks: TasksTable, first: TaskStatus) -> None:
    task = a_task()
    tasks.create(task)
    tasks.finish(task.model_copy(update={"status": first}))

    assert not tasks.finish(ended(task))
    assert read(tasks, task.task_id).status is first


def test_the_result_of_an_older_generation_is_refused(tasks: TasksTable) -> None:
    task = a_task(generation=1)
    tasks.create(task)

    assert not tasks.finish(ended(task.model_copy(update={"generation": 0})))
    assert tasks.finish(ended(task))


def test_of_many_results_at_once_one_wins() -> None:
    # GIVEN a task in memory only: moto checks and writes in two steps, so there threads may pass the check together
    tasks = InMemoryTasks()
    task = a_task()
    tasks.create(task)
    results = [ended(task).model_copy(update={"result": a_prediction(duration_ms=n)}) for n in range(8)]

    # WHEN eight threads write results
    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(tasks.finish, results))

    # THEN
    assert won.count(True) == 1
    assert read(tasks, task.task_id).result == results[won.index(True)].result


def test_attempts_are_counted_on_the_task_and_survive_its_end(tasks: TasksTable) -> None:
    task = a_task()
    tasks.create(task)

    assert [tasks.record_attempt(task), tasks.record_attempt(task)] == [1, 2]
    failed = task.model_copy(update={"status": TaskStatus.FAILED, "error": TaskError(code="c", detail="d")})
    assert tasks.finish(failed)
    assert read(tasks, task.task_id).attempts == 2
    assert tasks.record_attempt(task) is None


def test_an_attempt_before_the_put_makes_the_record(tasks: TasksTable) -> None:
    task = a_task()

    assert tasks.record_attempt(task) == 1
    assert not tasks.create(task)
    assert read(tasks, task.task_id) == task.model_copy(update={"attempts": 1})


def test_unknown_ids_are_missing(tasks: TasksTable) -> None:
    known = a_task()
    tasks.create(known)

    assert dict(tasks.get_many(["unknown", known.task_id])) == {known.task_id: known}
    assert dict(tasks.get_many([])) == {}


def test_more_tasks_than_one_read_takes_come_back_together(tasks: TasksTable) -> None:
    many = [a_task() for _ in range(230)]
    for task in many:
        tasks.create(task)

    assert set(tasks.get_many([task.task_id for task in many])) == {task.task_id for task in many}


def test_a_missing_table_is_reported_as_unavailable(aws: dict[str, str]) -> None:
    # GIVEN a table that does not exist
    tasks = DynamoDBTasks(boto3.client("dynamodb"), f"{aws['TasksTableName']}-gone", shards=1)
    task = a_task()

    # WHEN it is called
    for call in (
        lambda: tasks.create(task),
        lambda: tasks.finish(task),
        lambda: tasks.record_attempt(task),
        lambda: tasks.get_many(["x"]),
        lambda: tasks.list_ids("north", None, 1),
    ):
        # THEN
        with pytest.raises(StorageUnavailable, match="tasks table"):
            call()


@pytest.fixture(params=["in memory", "dynamodb"])
def speeds(request: pytest.FixtureRequest) -> LaneSpeeds:
    if request.param == "in memory":
        return InMemorySpeeds()
    names = request.getfixturevalue("aws")
    return DynamoDBSpeeds(boto3.client("dynamodb"), names["TasksTableName"])


def test_speeds_are_kept_by_lane(speeds: LaneSpeeds) -> None:
    assert speeds.read(Priority.HIGH) is None

    speeds.write(Priority.HIGH, 2.5)
    speeds.write(Priority.HIGH, 3.5)

    assert (speeds.read(Priority.HIGH), speeds.read(Priority.NORMAL)) == (3.5, None)
