"""Errors of the SDK: what may pass when tried again, and what only a repair of the service can end."""

from __future__ import annotations

import boto3
import pytest
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
from matchcast.errors import QueueUnavailable, RequestRefused, StorageUnavailable


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
    "error", [refused("ValidationException"), refused("InvalidParameterValue"), ParamValidationError(report="x")]
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
