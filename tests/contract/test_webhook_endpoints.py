"""Stores of failing callback addresses: in memory and on DynamoDB, by the same tests."""

from __future__ import annotations

from datetime import timedelta

import boto3
import pytest

from matchcast.adapters import dynamodb_endpoints
from matchcast.adapters.dynamodb_endpoints import DynamoDBEndpoints, endpoint_id
from matchcast.adapters.in_memory_webhooks import InMemoryEndpoints
from matchcast.webhooks.ports import EndpointStore
from tests.support.tasks import NOW

URL, OTHER = "https://client.com/hook?a=b#", "https://client.com/hook?a=c"
LATER = NOW + timedelta(days=1)


@pytest.fixture(params=["in memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> EndpointStore:
    if request.param == "in memory":
        return InMemoryEndpoints()
    return DynamoDBEndpoints(boto3.client("dynamodb"), request.getfixturevalue("aws")["WebhooksTableName"])


def test_an_address_fails_since_its_first_failure(store: EndpointStore) -> None:
    # WHEN it fails twice
    first, second = store.failed("north", URL, NOW), store.failed("north", URL, LATER)

    # THEN
    assert first == second == store.get("north", URL)
    assert (first.tenant, first.url, first.failing_since, first.disabled_at) == ("north", URL, NOW, None)
    assert store.get("north", OTHER) is None
    assert store.get("south", URL) is None


@pytest.mark.parametrize(("hours", "since"), [(47, 0), (49, 49)])
def test_failures_far_apart_are_not_one_outage(store: EndpointStore, hours: int, since: int) -> None:
    # GIVEN an address that failed, and got nothing afterwards
    store.failed("north", URL, NOW)

    # WHEN it fails again after some hours, and once more
    store.failed("north", URL, NOW + timedelta(hours=hours))
    after = store.failed("north", URL, NOW + timedelta(hours=hours + 40))

    # THEN
    assert after == store.get("north", URL)
    assert after.failing_since == NOW + timedelta(hours=since)


def test_an_address_that_works_is_forgotten(store: EndpointStore) -> None:
    # GIVEN two failing addresses
    store.failed("north", URL, NOW)
    other = store.failed("north", OTHER, NOW)

    # WHEN one works again, and says so twice
    store.works("north", URL)
    store.works("north", URL)

    # THEN
    assert store.get("north", URL) is None
    assert store.list("north") == [other]
    assert store.failed("north", URL, LATER).failing_since == LATER


def test_an_address_is_disabled_once(store: EndpointStore) -> None:
    # GIVEN
    failing = store.failed("north", URL, NOW)

    # WHEN two workers disable it, and a failure comes in behind them
    won = [store.disable(failing, at) for at in (LATER, LATER + timedelta(seconds=1))]
    after = store.failed("north", URL, LATER + timedelta(seconds=2))

    # THEN
    assert won == [True, False]
    assert (after.failing_since, after.disabled_at) == (NOW, LATER)
    assert store.get("north", URL) == after


@pytest.mark.parametrize("again", [True, False])
def test_an_address_that_worked_meanwhile_is_not_disabled(store: EndpointStore, again: bool) -> None:
    # GIVEN an address that worked after its failure was read, and may have failed again
    failing = store.failed("north", URL, NOW)
    store.works("north", URL)
    if again:
        store.failed("north", URL, LATER)

    # WHEN it is disabled
    # THEN
    assert not store.disable(failing, LATER)
    found = store.get("north", URL)
    assert (found is not None) == again
    assert found is None or found.disabled_at is None


def test_a_tenant_sees_its_own_addresses(store: EndpointStore) -> None:
    # GIVEN addresses of two tenants
    ours = [store.failed("north", f"https://client.com/{number}", NOW) for number in range(5)]
    store.failed("south", URL, NOW)

    # THEN
    assert sorted(store.list("north"), key=lambda each: each.url) == ours
    assert len({each.endpoint_id for each in ours}) == 5
    assert store.list("west") == []
    assert store.find("north", ours[3].endpoint_id) == ours[3]
    assert store.find("south", ours[3].endpoint_id) is None
    assert store.find("north", "") is store.find("north", "a" * 5_000) is None


def test_a_list_ends_where_it_would_get_too_long(aws: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN more addresses than are listed
    monkeypatch.setattr(dynamodb_endpoints, "MOST_LISTED", 3)
    store = DynamoDBEndpoints(boto3.client("dynamodb"), aws["WebhooksTableName"])
    for number in range(5):
        store.failed("north", f"https://client.com/{number}", NOW)

    # WHEN
    urls = [f"https://client.com/{number}" for number in range(5)]
    found = [store.find("north", endpoint_id(url)) for url in urls]

    # THEN the others can be enabled all the same
    assert len(store.list("north")) == 3
    assert [each.url for each in found if each] == urls


def test_a_table_forgets_addresses_in_time(aws: dict[str, str]) -> None:
    # GIVEN a failing address, and one that is disabled later
    client, table = boto3.client("dynamodb"), aws["WebhooksTableName"]
    store = DynamoDBEndpoints(client, table)
    store.failed("north", URL, NOW)
    store.disable(store.failed("north", OTHER, NOW), LATER)

    # THEN
    ttls = {item["url"]["S"]: int(item["ttl"]["N"]) for item in client.scan(TableName=table)["Items"]}
    kept = timedelta(days=90)
    assert ttls == {URL: (NOW + kept).timestamp(), OTHER: (LATER + kept).timestamp()}
