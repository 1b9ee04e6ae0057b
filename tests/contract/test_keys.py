"""Idempotency keys: in memory and on DynamoDB, by the same tests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import boto3
import pytest

from matchcast.adapters.dynamodb_records import DynamoDBKeys
from matchcast.adapters.in_memory import InMemoryKeys
from matchcast.errors import StorageUnavailable
from matchcast.ports import IdempotencyKeys, KeyRecord
from tests.support.tasks import NOW

TOMORROW = NOW + timedelta(days=1)
FIRST = KeyRecord("task-1", "fingerprint-1", NOW + timedelta(milliseconds=250))
SECOND = KeyRecord("task-2", "fingerprint-2", NOW + timedelta(seconds=1))


@pytest.fixture(params=["in memory", "dynamodb"])
def keys(request: pytest.FixtureRequest) -> IdempotencyKeys:
    if request.param == "in memory":
        return InMemoryKeys()
    names = request.getfixturevalue("aws")
    return DynamoDBKeys(boto3.client("dynamodb"), names["TasksTableName"])


def test_a_key_that_was_never_sent_is_not_found(keys: IdempotencyKeys) -> None:
    assert keys.find("north", "k", NOW) is None


def test_a_claimed_key_comes_back_as_it_was_put(keys: IdempotencyKeys) -> None:
    assert keys.claim("north", "k", FIRST, TOMORROW)
    assert keys.find("north", "k", NOW) == FIRST


def test_a_second_claim_loses_and_changes_nothing(keys: IdempotencyKeys) -> None:
    keys.claim("north", "k", FIRST, TOMORROW)

    assert not keys.claim("north", "k", SECOND, TOMORROW)
    assert keys.find("north", "k", NOW) == FIRST


def test_tenants_have_keys_of_their_own(keys: IdempotencyKeys) -> None:
    keys.claim("north", "k", FIRST, TOMORROW)

    assert keys.find("south", "k", NOW) is None
    assert keys.claim("south", "k", SECOND, TOMORROW)
    assert keys.find("north", "k", NOW) == FIRST


@pytest.mark.parametrize(
    ("tenant", "key", "other_tenant", "other_key"),
    [("a#b", "c", "a", "b#c"), ("a", "k", "a", "K"), ("a", "k", "a", "k ")],
)
def test_keys_that_look_alike_are_two(
    keys: IdempotencyKeys, tenant: str, key: str, other_tenant: str, other_key: str
) -> None:
    assert keys.claim(tenant, key, FIRST, TOMORROW)
    assert keys.claim(other_tenant, other_key, SECOND, TOMORROW)
    assert keys.find(tenant, key, NOW) == FIRST


def test_the_longest_key_and_every_character_of_one_are_kept_apart(keys: IdempotencyKeys) -> None:
    visible = "".join(chr(code) for code in range(0x20, 0x7F))
    long = (visible * 3)[:255]

    assert keys.claim("north", long, FIRST, TOMORROW)
    assert keys.find("north", long, NOW) == FIRST
    assert keys.find("north", long[:-1], NOW) is None


@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=1), timedelta(days=400)])
def test_an_expired_key_is_free_again_although_it_is_still_there(keys: IdempotencyKeys, late: timedelta) -> None:
    keys.claim("north", "k", FIRST, TOMORROW)
    again = KeyRecord("task-2", "fingerprint-2", TOMORROW + late)

    assert keys.find("north", "k", TOMORROW - timedelta(seconds=1)) == FIRST
    assert keys.find("north", "k", TOMORROW + late) is None
    assert keys.claim("north", "k", again, TOMORROW + late + timedelta(days=1))
    assert keys.find("north", "k", TOMORROW + late) == again


def test_the_table_may_delete_a_key_a_second_after_its_end(aws: dict[str, str]) -> None:
    client = boto3.client("dynamodb")
    DynamoDBKeys(client, aws["TasksTableName"]).claim("north", "k", FIRST, TOMORROW)

    (item,) = client.scan(TableName=aws["TasksTableName"])["Items"]

    assert item["ttl"] == {"N": str(int(TOMORROW.timestamp()) + 1)}


def test_a_key_is_read_consistently(aws: dict[str, str]) -> None:
    # GIVEN a client whose reads are noted
    client, reads = boto3.client("dynamodb"), list[dict[str, Any]]()
    client.meta.events.register("provide-client-params.dynamodb.GetItem", lambda params, **_: reads.append(params))

    # WHEN a key is looked for
    DynamoDBKeys(client, aws["TasksTableName"]).find("north", "k", NOW)

    # THEN no other copy of the data can miss what was put a moment ago: a request would have two tasks
    assert [read["ConsistentRead"] for read in reads] == [True]


def test_a_key_expires_with_its_task_to_the_millisecond(keys: IdempotencyKeys) -> None:
    # GIVEN a key whose task does not end with a whole second
    ends, late = TOMORROW + timedelta(milliseconds=500), timedelta(milliseconds=1)
    keys.claim("north", "k", FIRST, ends)
    again = KeyRecord("task-2", "fingerprint-2", ends)

    # WHEN it is asked for just before that, and then at that time
    # THEN it stands for its task, and then it is free
    assert keys.find("north", "k", ends - late) == FIRST
    assert not keys.claim("north", "k", KeyRecord("task-2", "fingerprint-2", ends - late), ends)
    assert keys.find("north", "k", ends) is None
    assert keys.claim("north", "k", again, ends + timedelta(days=1))


def test_of_many_claims_at_once_one_wins() -> None:
    # In memory only: moto checks and writes in two steps, so there threads may pass the check together.
    keys = InMemoryKeys()
    records = [KeyRecord(f"task-{n}", "fingerprint", NOW) for n in range(8)]

    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(lambda record: keys.claim("north", "k", record, TOMORROW), records))

    assert won.count(True) == 1
    assert keys.find("north", "k", NOW) == records[won.index(True)]


def test_a_missing_table_is_reported_as_unavailable(aws: dict[str, str]) -> None:
    keys = DynamoDBKeys(boto3.client("dynamodb"), f"{aws['TasksTableName']}-gone")

    for call in (lambda: keys.find("north", "k", NOW), lambda: keys.claim("north", "k", FIRST, TOMORROW)):
        with pytest.raises(StorageUnavailable, match="tasks table"):
            call()
