"""What a task costs: calls of the real adapters, counted where the SDK sends them."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import boto3
import pytest

from matchcast.adapters.dynamodb_records import DynamoDBKeys, DynamoDBSpeeds
from matchcast.adapters.dynamodb_tasks import TENANT_INDEX, DynamoDBTasks
from matchcast.adapters.sqs_lanes import SQSLanes
from matchcast.domain.prediction import Subject
from matchcast.domain.task import Priority, Task, TaskStatus
from matchcast.ports import Received
from matchcast.snapshots.features import MatchIds
from matchcast.tasks.accept import AcceptTask, IdempotencyKey
from matchcast.tasks.circuit_breaker import CircuitBreaker
from matchcast.tasks.help_high_lane import HelpHighLane
from matchcast.tasks.lane_speed import LaneSpeed
from matchcast.tasks.open_tasks import OpenTasks
from matchcast.tasks.run import RunPredictions
from matchcast.tasks.submit import Submission, SubmitPrediction
from tests.support.releases import MATCHES, Release
from tests.support.tasks import NOW
from tests.support.template import load

SHARDS = 2
WRITES = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}


class Service:
    """Submission and worker over the template's table and queues, and a count of the calls that they make."""

    def __init__(self, names: dict[str, str]) -> None:
        self.calls: Counter[str] = Counter()
        dynamodb, sqs = boto3.client("dynamodb"), boto3.client("sqs")
        for client in (dynamodb, sqs):
            client.meta.events.register("before-call", lambda model, **_: self.calls.update([model.name]))
        self.table = names["TasksTableName"]
        self.queue = names["NormalQueueUrl"]
        urls = {Priority.HIGH: names["HighQueueUrl"], Priority.NORMAL: self.queue}
        dead = {Priority.HIGH: names["HighDeadLetterQueueUrl"], Priority.NORMAL: names["NormalDeadLetterQueueUrl"]}
        self.tasks = DynamoDBTasks(dynamodb, self.table, SHARDS)
        release, speed = Release(), LaneSpeed(DynamoDBSpeeds(dynamodb, self.table))
        self.submit = SubmitPrediction(
            accept=AcceptTask(
                tasks=self.tasks,
                lanes=SQSLanes(sqs, urls),
                keys=DynamoDBKeys(dynamodb, self.table),
                now=lambda: NOW,
            ),
            models=release.models,
            matches=MatchIds(release.snapshots, release.objects),
            open_tasks=OpenTasks(index=self.tasks, speed=speed, limit=10_000, now=lambda: NOW),
            lifetime=timedelta(hours=1),
        )
        self.run = RunPredictions(
            predictor=release.predictor(),
            tasks=self.tasks,
            lanes=SQSLanes(sqs, urls, dead),
            threads=ThreadPoolExecutor(2),
            breaker=CircuitBreaker(),
            now=lambda: NOW,
            max_attempts=3,
        )

        self.help_high_lane = HelpHighLane(self.run, SQSLanes(sqs, urls))

    def accept(self, key: str | None = None, priority: Priority = Priority.NORMAL) -> Task:
        once = None if key is None else IdempotencyKey(key, "fingerprint")
        submission = Submission(Subject(next(iter(MATCHES))), priority=priority)
        return self.submit.submit("north", submission, once)[0]

    def work(self) -> None:
        answer = boto3.client("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        self.run.run(
            [
                Received(message["MessageId"], message["ReceiptHandle"], message["Body"], Priority.NORMAL)
                for message in answer["Messages"]
            ]
        )

    @property
    def writes(self) -> int:
        return sum(self.calls[name] for name in WRITES)


@pytest.fixture
def service(aws: dict[str, str]) -> Service:
    return Service(aws)


def test_a_task_costs_two_writes_and_one_message(service: Service) -> None:
    task = service.accept()
    service.work()

    assert service.tasks.get_many([task.task_id])[task.task_id].status is TaskStatus.SUCCEEDED
    assert (service.calls["PutItem"], service.calls["UpdateItem"], service.writes) == (1, 1, 2)
    assert service.calls["SendMessage"] == 1


def test_a_task_with_a_key_costs_one_write_more(service: Service) -> None:
    service.accept(key="k")
    service.work()

    assert (service.writes, service.calls["SendMessage"]) == (3, 1)


def test_repeating_a_request_with_its_key_writes_and_sends_nothing(service: Service) -> None:
    first = service.accept(key="k")
    before = service.writes

    assert service.accept(key="k").task_id == first.task_id
    assert (service.writes - before, service.calls["SendMessage"]) == (0, 1)


def test_a_receive_reads_its_records_at_once_and_writes_each_once(service: Service) -> None:
    for _ in range(8):
        service.accept()
    service.calls.clear()

    service.work()

    assert (service.calls["BatchGetItem"], service.calls["UpdateItem"], service.writes) == (1, 8, 8)
    assert service.calls["SendMessage"] == 0


@pytest.mark.parametrize(("waiting", "receives", "deletions"), [(0, 1, 0), (1, 2, 1), (10, 2, 1)])
def test_helping_the_high_lane_costs_one_call_for_a_receive_of_the_normal_one_and_two_for_ten_tasks(
    service: Service, waiting: int, receives: int, deletions: int
) -> None:
    for _ in range(waiting):
        service.accept(priority=Priority.HIGH)
    service.calls.clear()

    service.help_high_lane.help(lambda: True)

    assert (service.calls["ReceiveMessage"], service.calls["DeleteMessageBatch"]) == (receives, deletions)
    assert service.writes == waiting


def test_a_message_that_comes_twice_in_one_receive_costs_no_read_more(service: Service) -> None:
    # GIVEN two messages of one task, and one of another; DynamoDB refuses a read that names a key twice
    for key in ("k", "other"):
        task = service.accept(key=key)
    SQSLanes(boto3.client("sqs"), dict.fromkeys(Priority, service.queue)).send(task)
    before = service.calls["BatchGetItem"]

    # WHEN they are received together
    service.work()

    # THEN
    assert service.calls["BatchGetItem"] - before == 1
    assert service.calls["DeleteMessage"] == service.calls["ChangeMessageVisibility"] == 0


def test_the_open_tasks_of_a_tenant_are_looked_up_once_for_many_submissions(service: Service) -> None:
    for _ in range(5):
        service.accept()

    assert service.calls["Query"] == 1


def test_the_final_write_touches_nothing_that_the_index_holds(service: Service) -> None:
    # DynamoDB writes the index only where one of its own attributes changes: once, when the record is put.
    task = service.accept()
    before = item(service, task)
    service.work()
    after = item(service, task)

    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert "status" in changed
    assert not changed & index_attributes()


def item(service: Service, task: Task) -> dict[str, Any]:
    key = {"pk": {"S": f"task#{task.task_id}"}, "sk": {"S": "task"}}
    found: dict[str, Any] = boto3.client("dynamodb").get_item(TableName=service.table, Key=key)["Item"]
    return found


def index_attributes() -> set[str]:
    """Return what the template's tenant index keeps of an item."""
    table = load()["Resources"]["TasksTable"]["Properties"]
    (index,) = [each for each in table["GlobalSecondaryIndexes"] if each["IndexName"] == TENANT_INDEX]
    keys = {part["AttributeName"] for part in [*index["KeySchema"], *table["KeySchema"]]}
    return keys | set(index["Projection"].get("NonKeyAttributes", []))
