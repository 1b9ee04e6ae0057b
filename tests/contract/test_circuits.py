"""Circuits of workers as the tasks table keeps them, for whoever asks what is open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import boto3
import pytest

from matchcast.adapters.dynamodb_records import KEPT, DynamoDBCircuits
from matchcast.errors import ModelUnavailable, StorageUnavailable
from tests.support.tasks import NOW

CAUSE = "stage:champion"


@pytest.fixture
def circuits(aws: dict[str, str]) -> DynamoDBCircuits:
    return DynamoDBCircuits(boto3.client("dynamodb"), aws["TasksTableName"])


def test_a_cause_that_nobody_wrote_of_is_closed(circuits: DynamoDBCircuits) -> None:
    assert circuits.read(CAUSE) is None


def test_an_open_circuit_says_why_and_since_when(circuits: DynamoDBCircuits) -> None:
    circuits.write(CAUSE, ModelUnavailable("It cannot be loaded."), NOW)

    assert circuits.read(CAUSE) == ("model-unavailable", "It cannot be loaded.", NOW)
    assert circuits.read("stage:candidate") is None


def test_a_circuit_that_closed_is_closed_for_every_reader(circuits: DynamoDBCircuits) -> None:
    circuits.write(CAUSE, ModelUnavailable("It cannot be loaded."), NOW)
    circuits.write(CAUSE, None, NOW + timedelta(seconds=30))

    assert circuits.read(CAUSE) is None


def test_a_long_reason_is_cut_and_forgotten_after_a_day(circuits: DynamoDBCircuits, aws: dict[str, str]) -> None:
    # GIVEN a reason that is longer than anybody reads
    circuits.write(CAUSE, ModelUnavailable("x" * 5000), NOW)

    # WHEN the item is looked at
    table: list[dict[str, Any]] = boto3.client("dynamodb").scan(TableName=aws["TasksTableName"])["Items"]

    # THEN
    (item,) = table
    assert (item["pk"], item["sk"]) == ({"S": f"circuit#{CAUSE}"}, {"S": "circuit"})
    assert item["detail"] == {"S": "x" * 1000}
    assert item["ttl"] == {"N": str(int((NOW + KEPT).timestamp()))}


def test_a_missing_table_is_reported_as_unavailable(aws: dict[str, str]) -> None:
    circuits = DynamoDBCircuits(boto3.client("dynamodb"), f"{aws['TasksTableName']}-gone")

    with pytest.raises(StorageUnavailable):
        circuits.write(CAUSE, None, NOW)
