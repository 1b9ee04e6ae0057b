"""Records of the tasks table's stream, as the real stores make them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import boto3
import pytest

from matchcast.adapters.dynamodb_batches import DynamoDBBatches
from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.adapters.stream_records import records_of
from matchcast.domain.batch import BatchStatus
from matchcast.domain.task import TaskError, TaskStatus
from matchcast.errors import InvalidMessage
from tests.support.stored_batches import a_batch
from tests.support.tasks import NOW, a_prediction, a_task

URL = "https://client.com/hook"


class Stream:
    """The tasks table with a stream."""

    def __init__(self, table: str) -> None:
        client = boto3.client("dynamodb")
        description = client.describe_table(TableName=table)["Table"]
        if "LatestStreamArn" not in description:
            description = client.update_table(
                TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
            )["TableDescription"]
        self.arn = description["LatestStreamArn"]
        self.tasks = DynamoDBTasks(client, table, 2)
        self.batches = DynamoDBBatches(client, table)

    def event(self) -> dict[str, Any]:
        """Return what an event source mapping hands over: all records, as JSON."""
        client = boto3.client("dynamodbstreams")
        (shard,) = client.describe_stream(StreamArn=self.arn)["StreamDescription"]["Shards"]
        iterator = client.get_shard_iterator(
            StreamArn=self.arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = client.get_records(ShardIterator=iterator)["Records"]
        event: dict[str, Any] = json.loads(json.dumps({"Records": records}, default=str))
        return event


@pytest.fixture
def stream(aws: dict[str, str]) -> Stream:
    return Stream(aws["TasksTableName"])


def test_tasks_and_batches_are_read_as_they_were_written(stream: Stream) -> None:
    # GIVEN tasks and a batch that reach their final states
    task = a_task(callback_url=URL)
    succeeded = task.model_copy(
        update={"status": TaskStatus.SUCCEEDED, "result": a_prediction(), "completed_at": NOW + timedelta(seconds=1)}
    )
    failed = a_task(
        match_id=None,
        features={"a": 1.5, "b": None},
        callback_url=URL,
        status=TaskStatus.FAILED,
        error=TaskError(code="c", detail="d", errors=({"detail": "x", "pointer": "/a"},)),
        completed_at=NOW,
        generation=3,
    )
    batch = a_batch(callback_url=URL)
    ended = batch.model_copy(update={"status": BatchStatus.CANCELLED, "completed_at": NOW, "total": 3, "cancelled": 3})

    # WHEN they are written, one after the other
    assert stream.tasks.create(task)
    assert stream.tasks.finish(succeeded)
    assert stream.tasks.create(failed)
    assert stream.batches.create(batch)
    assert stream.batches.change(ended, (BatchStatus.QUEUED,))

    # THEN
    records = records_of(stream.event())
    assert [record.subject for record in records] == [task, succeeded, failed, batch, ended]
    numbers = [record.sequence_number for record in records]
    assert len(set(numbers)) == 5
    assert all(json.loads(record.body)["dynamodb"]["NewImage"] for record in records)


DOCUMENTS = {"a document that is none": "{", "a document without end": "[" * 100_000}


def change(record: dict[str, Any], what: str) -> None:
    image = record["dynamodb"]["NewImage"]
    match what:
        case "no image":
            del record["dynamodb"]["NewImage"]
        case "no status":
            del image["status"]
        case "a status of the future":
            image["status"] = {"S": "paused"}
        case "a time that is none":
            image["created_at"] = {"S": "soon"}
        case "a document that is none" | "a document without end":
            image["features"] = {"S": DOCUMENTS[what]}
        case "another kind of item":
            image["sk"] = {"S": "key"}
        case "another type":
            image["tenant"] = {"N": "1"}
        case "no item":
            record["dynamodb"]["NewImage"] = "text"
        case "a number that is none":
            image["attempts"] = {"N": "many"}


@pytest.mark.parametrize(
    "what",
    [
        "no image",
        "no status",
        "a status of the future",
        "a time that is none",
        "a document that is none",
        "a document without end",
        "another kind of item",
        "another type",
        "no item",
        "a number that is none",
    ],
)
def test_a_record_that_cannot_be_read_says_so_in_its_place(stream: Stream, what: str) -> None:
    # GIVEN three records, of which the middle one is broken
    tasks = [a_task(callback_url=URL) for _ in range(3)]
    for task in tasks:
        stream.tasks.create(task)
    event = stream.event()
    change(event["Records"][1], what)

    # WHEN they are read
    first, broken, last = records_of(event)

    # THEN
    assert (first.subject, last.subject) == (tasks[0], tasks[2])
    assert isinstance(broken.subject, InvalidMessage)
    assert broken.sequence_number == event["Records"][1]["dynamodb"]["SequenceNumber"]
    assert json.loads(broken.body) == event["Records"][1]


def test_of_a_large_record_that_cannot_be_read_the_keys_are_kept(stream: Stream) -> None:
    # GIVEN a record of nearly the size of an item
    task = a_task(callback_url=URL)
    stream.tasks.create(task)
    event = stream.event()
    event["Records"][0]["dynamodb"]["NewImage"]["status"] = {"S": "x" * 390_000}

    # WHEN it is read
    (record,) = records_of(event)

    # THEN a queue takes what is buried
    assert len(record.body) < 1000
    assert json.loads(record.body)["dynamodb"]["Keys"]["pk"] == {"S": f"task#{task.task_id}"}
