"""Task indexes: in memory and on DynamoDB, by the same tests; and what one call of the real one reads."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Protocol

import boto3
import pytest

from matchcast.adapters import dynamodb_tasks
from matchcast.adapters.dynamodb_tasks import OPEN_INDEX, DynamoDBTasks
from matchcast.adapters.in_memory import InMemoryTasks
from matchcast.domain.task import Task, TaskError, TaskStatus
from matchcast.ports import TaskIndex, TaskStore
from tests.support.tasks import NOW, a_prediction, a_task

SHARDS = 3
MATCH, OTHER = "e0-2026-03-07-cedar-elm", "e0-2026-03-07-ash-birch"


class TasksTable(TaskStore, TaskIndex, Protocol):
    """Both ports of the tasks table."""


@pytest.fixture(params=["in memory", "dynamodb"])
def tasks(request: pytest.FixtureRequest) -> TasksTable:
    if request.param == "in memory":
        return InMemoryTasks()
    return real(request.getfixturevalue("aws"))


def real(names: dict[str, str], **options: Any) -> DynamoDBTasks:
    return DynamoDBTasks(boto3.client("dynamodb"), names["TasksTableName"], SHARDS, **options)


def ended(task: Task, status: TaskStatus) -> Task:
    return task.model_copy(update={"status": status, "result": a_prediction(), "completed_at": NOW})


def pages(tasks: TaskIndex, limit: int, match_id: str | None = None) -> Iterator[list[str]]:
    """Yield the pages of a list."""
    before: str | None = None
    while True:
        page = tasks.list_ids("north", before, limit, match_id)
        yield list(page.ids)
        before = page.next_before
        if before is None:
            return


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_pages_of_any_size_hold_every_id_once_newest_first(tasks: TasksTable, limit: int) -> None:
    made = [a_task(created_at=NOW - timedelta(seconds=n)) for n in range(60)]
    for task in [*made, a_task(tenant="south")]:
        tasks.create(task)

    found = list(pages(tasks, limit))

    assert [task_id for page in found for task_id in page] == [task.task_id for task in made]
    assert max(map(len, found)) <= limit


@pytest.mark.parametrize("limit", [1, 4])
def test_pages_of_one_match_hold_every_id_once_however_far_apart_they_are(
    tasks: TasksTable, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a call that looks at a dozen entries, and tasks of one match with up to fifty others between them
    monkeypatch.setattr(dynamodb_tasks, "_EXAMINED", 12)
    places = {0, 1, 2, 3, 4, 5, 6, 30, 31, 80, 119}
    made = [a_task(match_id=MATCH if n in places else OTHER, created_at=NOW - timedelta(seconds=n)) for n in range(120)]
    for task in made:
        tasks.create(task)

    # WHEN the list is read page by page
    found = list(pages(tasks, limit, MATCH))

    # THEN
    assert [task_id for page in found for task_id in page] == [made[n].task_id for n in sorted(places)]
    assert max(map(len, found)) <= limit


def test_what_one_call_looks_at_is_bounded_however_many_tasks_there_are(
    aws: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN more tasks of other matches than one call may look at, and a count of what DynamoDB looks at
    monkeypatch.setattr(dynamodb_tasks, "_EXAMINED", 12)
    tasks, examined = real(aws), Counter[str]()
    for _ in range(60):
        tasks.create(a_task(match_id=OTHER))
    tasks._client.meta.events.register(
        "after-call.dynamodb.Query", lambda parsed, **_: examined.update(entries=parsed["ScannedCount"], calls=1)
    )

    # WHEN tasks of a match without any are asked for
    page = tasks.list_ids("north", None, 5, MATCH)

    # THEN the answer is empty, and says where to go on
    assert page.ids == []
    assert page.next_before is not None
    assert examined == {"entries": 12, "calls": SHARDS}


@pytest.mark.parametrize("status", [status for status in TaskStatus if status.is_final])
def test_a_task_is_open_until_it_ends(tasks: TasksTable, status: TaskStatus) -> None:
    made = [a_task() for _ in range(3)]
    for task in [*made, a_task(tenant="south")]:
        tasks.create(task)

    assert tasks.count_open("north", NOW, 10) == 3
    assert tasks.finish(ended(made[0], status))
    assert tasks.count_open("north", NOW, 10) == 2


def test_open_tasks_are_counted_no_further_than_asked(tasks: TasksTable) -> None:
    for _ in range(5):
        tasks.create(a_task())

    assert tasks.count_open("north", NOW, 4) == 4
    assert tasks.count_open("nobody", NOW, 4) == 0


@pytest.mark.parametrize("ends", ["start_by", "expires_at"])
def test_a_task_that_nobody_ended_stops_being_open_when_its_time_is_over(tasks: TasksTable, ends: str) -> None:
    # Whatever else fails, a count is right again after the lifetime of a task.
    tasks.create(a_task(**{ends: NOW + timedelta(minutes=5)}))

    assert tasks.count_open("north", NOW + timedelta(minutes=5), 10) == 1
    assert tasks.count_open("north", NOW + timedelta(minutes=5, seconds=1), 10) == 0


def test_a_failed_attempt_leaves_a_task_open(tasks: TasksTable) -> None:
    task = a_task()
    tasks.create(task)
    tasks.record_attempt(task)

    assert tasks.count_open("north", NOW, 10) == 1


def test_a_redriven_task_does_not_count(tasks: TasksTable) -> None:
    task = a_task()
    tasks.create(task)
    tasks.finish(task.model_copy(update={"status": TaskStatus.FAILED, "error": TaskError(code="c", detail="d")}))

    assert tasks.supersede(task.model_copy(update={"generation": 1}))
    assert tasks.count_open("north", NOW, 10) == 0


def test_a_count_of_old_and_many_tasks_reads_the_open_ones_alone(aws: dict[str, str]) -> None:
    # GIVEN many tasks that are over, and two that are open
    tasks = real(aws)
    for number in range(20):
        tasks.create(task := a_task())
        if number >= 2:
            tasks.finish(ended(task, TaskStatus.SUCCEEDED))
    answers: list[Any] = []
    tasks._client.meta.events.register("after-call.dynamodb.Query", lambda parsed, **_: answers.append(parsed))

    # WHEN they are counted
    # THEN one query looks at two entries, and brings none of them
    assert tasks.count_open("north", NOW, 10_000) == 2
    assert [(each["ScannedCount"], each.get("Items")) for each in answers] == [(2, None)]


def test_of_a_high_limit_a_random_sample_is_counted(aws: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a table whose index of open tasks has one in four of them
    monkeypatch.setattr(dynamodb_tasks, "random", random.Random(7))
    tasks = real(aws, counted_one_in=4)
    made = [a_task() for _ in range(120)]
    for task in made:
        tasks.create(task)

    # WHEN they are counted
    # THEN it is about right: within five sigma
    assert abs(tasks.count_open("north", NOW, 1000) - 120) <= 5 * (120 * 3) ** 0.5
    # AND no further than asked
    assert tasks.count_open("north", NOW, 40) == 40

    # WHEN all of them end
    for task in made:
        tasks.finish(ended(task, TaskStatus.SUCCEEDED))
    # THEN none is left in the index
    assert boto3.client("dynamodb").scan(TableName=aws["TasksTableName"], IndexName=OPEN_INDEX)["Count"] == 0
    assert tasks.count_open("north", NOW, 1000) == 0


def test_samples_of_another_size_are_not_mixed(aws: dict[str, str]) -> None:
    # After a change of the limit, what was sampled before must not stand for more tasks than it did.
    before, after = real(aws, counted_one_in=1), real(aws, counted_one_in=25)
    for _ in range(10):
        before.create(a_task())

    assert (before.count_open("north", NOW, 10), after.count_open("north", NOW, 10_000)) == (10, 0)
