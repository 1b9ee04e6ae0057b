"""Errors of the SDK: what may pass when tried again, and what only a repair of the service can end."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from io import BytesIO
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from moto import mock_aws

from matchcast.adapters.aws_errors import unavailable_as
from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.adapters.sqs_lanes import SQSLanes
from matchcast.bootstrap import parts
from matchcast.domain.task import Priority
from matchcast.errors import QueueUnavailable, RequestRefused, StorageUnavailable
from tests.support.tasks import a_task


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "secret"}}, "GetItem")


@pytest.mark.parametrize(
    "error",
    [
        refused("AccessDeniedException"),
        refused("AccessDenied"),
        refused("ResourceNotFoundException"),
        refused("NoSuchBucket"),
        refused("AWS.SimpleQueueService.NonExistentQueue"),
        refused("UnrecognizedClientException"),
        refused("KMS.AccessDeniedException"),
        NoCredentialsError(),
    ],
)
def test_a_refused_call_is_a_defect_of_ours(error: ClientError | BotoCoreError) -> None:
    with (
        pytest.raises(StorageUnavailable, match="refused the call") as caught,
        unavailable_as(StorageUnavailable, "It"),
    ):
        raise error

    assert caught.value.is_defect


@pytest.mark.parametrize(
    "error",
    [
        refused("ValidationException"),
        refused("InvalidParameterValue"),
        refused("AWS.SimpleQueueService.BatchRequestTooLong"),
        ParamValidationError(report="x"),
    ],
)
def test_an_invalid_request_concerns_itself_alone(error: ClientError | BotoCoreError) -> None:
    with pytest.raises(RequestRefused, match="refused a request as invalid"), unavailable_as(StorageUnavailable, "It"):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        refused("ProvisionedThroughputExceededException"),
        refused("ThrottlingException"),
        refused("InternalServerError"),
        refused("RequestLimitExceeded"),
        refused("ServiceUnavailable"),
        refused("SlowDown"),
        refused(""),
        ConnectTimeoutError(endpoint_url="x"),
        ReadTimeoutError(endpoint_url="x"),
        EndpointConnectionError(endpoint_url="x"),
    ],
)
def test_a_call_that_was_not_answered_may_succeed_later(error: ClientError | BotoCoreError) -> None:
    with pytest.raises(QueueUnavailable, match="did not answer") as caught, unavailable_as(QueueUnavailable, "It"):
        raise error

    assert not caught.value.is_defect


@mock_aws
@pytest.mark.enable_socket
def test_a_table_that_is_not_there_is_a_defect() -> None:
    store = DynamoDBTasks(boto3.client("dynamodb"), "no-such-table", shards=1)

    with pytest.raises(StorageUnavailable) as caught:
        store.get_many(["x"])

    assert caught.value.is_defect


class Body(BytesIO):
    """The body of an answer, as the SDK reads it."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


def client_answered(service: str, status: int, body: bytes) -> Any:
    """Return a client each of whose requests gets the same answer."""
    client = parts.client(service, retries={"mode": "standard", "total_max_attempts": 2})
    headers: Any = HeadersDict({"Content-Type": "application/json"})
    answer: Any = partial(AWSResponse, "http://it", status, headers)
    client.meta.events.register("before-send", lambda **_: answer(Body(body)))
    return client


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (204, b""),
        (200, b"{}"),
        (200, b"null"),
        (200, b"[]"),
        (200, b'{"__type": "InternalServerError", "MessageId": "x"}'),
        (500, b"<html>\xfcberlastet</html>"),
    ],
)
def test_what_is_no_answer_says_not_that_a_message_was_sent(status: int, body: bytes) -> None:
    lanes = SQSLanes(client_answered("sqs", status, body), dict.fromkeys(Priority, "http://it/1/lane"))

    with pytest.raises(QueueUnavailable):
        lanes.send(a_task())


@pytest.mark.parametrize(
    ("status", "body"), [(200, b""), (200, b"[]"), (200, b'{"__type": "InternalServerError"}'), (502, b"\xff")]
)
def test_what_is_no_answer_says_not_that_a_record_was_written(status: int, body: bytes) -> None:
    tasks = DynamoDBTasks(client_answered("dynamodb", status, body), "tasks", shards=1)

    for write in (tasks.create, tasks.finish):
        with pytest.raises(StorageUnavailable):
            write(a_task())


def test_calls_without_an_answer_of_their_own_are_done_all_the_same() -> None:
    lanes = SQSLanes(client_answered("sqs", 200, b""), dict.fromkeys(Priority, "http://it/1/lane"))

    lanes.retry_later(Priority.HIGH, "handle", 10)
