"""Writes of deliveries whose answer gets lost, or that the table refuses; and what its items hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from matchcast.adapters import dynamodb_deliveries
from matchcast.adapters.dynamodb_deliveries import DynamoDBDeliveries
from matchcast.adapters.dynamodb_endpoints import DynamoDBEndpoints
from matchcast.adapters.kms_secrets import KMSSecrets
from matchcast.adapters.webhook_items import delivery_key
from matchcast.domain.webhook import Attempt, Delivery, DeliveryState
from matchcast.errors import RequestRefused, StorageUnavailable
from matchcast.webhook_messages import NextAttempt
from tests.support.stored_deliveries import GRACE, claimed, ended, numbered, read
from tests.support.tasks import NOW

EVENT = numbered(1)
ATTEMPT = Attempt(number=1, series=0, started_at=NOW)


class Table:
    """The table behind a client that can lose answers, and counts what it asks."""

    def __init__(self, name: str) -> None:
        retries = Config(retries={"mode": "standard", "total_max_attempts": 2})
        self.client: Any = boto3.client("dynamodb", config=retries)
        self.name = name
        self.store = DynamoDBDeliveries(self.client, self.name)

    def loses_answer(self, operation: str) -> list[object]:
        """Lose the first answer of an operation: the SDK sends the request again."""
        lost: list[object] = []

        def lose_once(response: object, **_: object) -> int | None:
            if lost:
                return None
            lost.append(response)
            return 0  # seconds until it is sent again

        self.client.meta.events.register(f"needs-retry.dynamodb.{operation}", lose_once)
        return lost

    def item(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get_item(TableName=self.name, Key=delivery_key(EVENT.event_id))["Item"]
        return found


@pytest.fixture
def table(aws: dict[str, str]) -> Table:
    return Table(aws["WebhooksTableName"])


def test_a_new_delivery_whose_answer_gets_lost_is_new(table: Table) -> None:
    lost = table.loses_answer("PutItem")

    assert table.store.create(EVENT, NOW)
    assert len(lost) == 1
    assert not table.store.create(EVENT, NOW)


def test_a_claim_whose_answer_gets_lost_has_won(table: Table) -> None:
    # GIVEN
    table.store.create(EVENT, NOW)
    delivery = read(table.store, EVENT)

    # WHEN
    lost = table.loses_answer("UpdateItem")
    won = table.store.claim(delivery, ATTEMPT, NOW + GRACE)

    # THEN it counts once
    assert (won, len(lost)) == (True, 1)
    assert read(table.store, EVENT).tried == 1
    assert not table.store.claim(delivery, ATTEMPT, NOW + GRACE)


def test_an_end_whose_answer_gets_lost_has_ended(table: Table) -> None:
    # GIVEN
    table.store.create(EVENT, NOW)
    delivery, attempt = claimed(table.store, EVENT)

    # WHEN
    lost = table.loses_answer("UpdateItem")
    won = table.store.end(delivery, attempt, DeliveryState.DELIVERED, None, None)

    # THEN
    assert (won, len(lost)) == (True, 1)
    assert read(table.store, EVENT).state is DeliveryState.DELIVERED


def test_a_replay_whose_answer_gets_lost_has_begun_one_series(table: Table) -> None:
    # GIVEN
    table.store.create(EVENT, NOW)
    ended(table.store, EVENT, DeliveryState.FAILED)
    delivery = read(table.store, EVENT)

    # WHEN
    lost = table.loses_answer("UpdateItem")
    won = table.store.replay(delivery, NOW, NOW)

    # THEN
    assert (won, len(lost)) == (True, 1)
    assert read(table.store, EVENT).series == 1


def test_a_delivery_leaves_the_index_and_its_table_in_time(table: Table) -> None:
    # GIVEN a pending delivery, which is in the index of due ones
    table.store.create(EVENT, NOW)
    index = {"due_shard", "look_at", "next_attempt_at"}
    pending = table.item()

    # WHEN it ends
    ended(table.store, EVENT, DeliveryState.DELIVERED)
    delivered = table.item()

    # THEN it is in the index no more, and forgotten 14 days after its event
    assert index <= set(pending)
    assert not index & set(delivered)
    assert delivered["ttl"] == pending["ttl"] == {"N": str(int((NOW + timedelta(days=14)).timestamp()))}


def test_a_series_that_begins_late_is_not_forgotten_before_its_last_attempt(table: Table) -> None:
    # GIVEN an event whose message comes twelve days late
    late = NOW + timedelta(days=12)
    table.store.create(EVENT, late)
    recorded = table.item()

    # WHEN it is replayed after twelve more days
    ended(table.store, EVENT, DeliveryState.FAILED, at=late)
    table.store.replay(read(table.store, EVENT), late + timedelta(days=12), late)

    # THEN each series has 14 days
    ttls = [int(item["ttl"]["N"]) for item in (recorded, table.item())]
    assert ttls == [int((late + timedelta(days=days)).timestamp()) for days in (14, 26)]


def test_replays_without_end_keep_the_latest_attempts(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a delivery that is replayed more often than it keeps attempts
    monkeypatch.setattr(dynamodb_deliveries, "MOST_ATTEMPTS", 8)
    table.store.create(EVENT, NOW)
    series = 8 + 5

    # WHEN one more attempt is made each time
    for _ in range(series):
        ended(table.store, EVENT, DeliveryState.FAILED)
        table.store.replay(read(table.store, EVENT), NOW, NOW)

    # THEN
    kept = read(table.store, EVENT).attempts
    assert [each.series for each in kept] == list(range(5, series))
    assert len(table.item()["attempts"]["M"]) == 8


def test_the_index_of_due_ones_is_read_no_further_than_asked(table: Table) -> None:
    # GIVEN 300 due deliveries
    for number in range(300):
        table.store.create(numbered(number), NOW)
    read_items: list[int] = []
    table.client.meta.events.register(
        "after-call.dynamodb.Query", lambda parsed, **_: read_items.append(len(parsed["Items"]))
    )

    # WHEN one is asked for, then forty
    found = [len(table.store.due(NOW, limit)) for limit in (1, 40)]

    # THEN each shard gave about its share
    assert found == [1, 40]
    assert sum(read_items) <= 2 * 8 + 2 * (40 + 8 * 8)


@pytest.mark.parametrize("url_length", [1, 2000])
def test_an_item_that_is_too_large_is_refused(table: Table, url_length: int) -> None:
    event = EVENT.model_copy(update={"body": "x" * 450_000, "url": "x" * url_length})

    with pytest.raises(RequestRefused, match="table of webhooks"):
        table.store.create(event, NOW)


def test_a_missing_table_is_reported_as_unavailable(aws: dict[str, str]) -> None:
    # GIVEN stores on a table that is not there
    client = boto3.client("dynamodb")
    store, endpoints = DynamoDBDeliveries(client, "gone"), DynamoDBEndpoints(client, "gone")
    secrets = KMSSecrets(client, "gone", boto3.client("kms"), "key")
    delivery = Delivery(event=EVENT)
    wanted = NextAttempt(tenant="north", event_id=EVENT.event_id, series=0, tried=0)

    # WHEN each method is called
    calls: list[Callable[[], object]] = [
        lambda: store.create(EVENT, NOW),
        lambda: store.get(EVENT.event_id),
        lambda: store.of_subject(EVENT.subject_id),
        lambda: store.claim(delivery, ATTEMPT, NOW),
        lambda: store.end(delivery, ATTEMPT, DeliveryState.FAILED, None, None),
        lambda: store.replay(delivery, NOW, NOW),
        lambda: store.between("north", NOW, NOW + GRACE, None, 1),
        lambda: store.due(NOW, 1),
        lambda: store.looked_at(wanted, NOW),
        lambda: store.oldest_due(NOW),
        lambda: endpoints.get("north", "u"),
        lambda: endpoints.list("north"),
        lambda: endpoints.failed("north", "u", NOW),
        lambda: endpoints.works("north", "u"),
        lambda: secrets.list("north"),
        lambda: secrets.end("north", "s", NOW),
        lambda: secrets.values("north", NOW),
    ]

    # THEN
    for call in calls:
        with pytest.raises(StorageUnavailable, match="table of webhooks gone") as caught:
            call()
        assert caught.value.is_defect


def test_a_busy_table_is_tried_again(table: Table) -> None:
    # GIVEN a table that is busy at first
    put, refusals = table.client.put_item, [1, 1]

    def busy(**request: Any) -> Any:
        if refusals:
            refusals.pop()
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "busy"}}, "PutItem")
        return put(**request)

    table.client.put_item = busy

    # WHEN a delivery is put
    # THEN
    assert table.store.create(EVENT, NOW)
    assert refusals == []
