"""New events beside 200,000 deliveries that wait for a retry, on the engine's table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from matchcast.adapters.dynamodb_deliveries import DynamoDBDeliveries
from matchcast.adapters.https_poster import HttpsPoster
from matchcast.adapters.in_memory_webhooks import InMemoryEndpoints, InMemorySecrets, InMemoryWebhookQueue
from matchcast.adapters.webhook_items import DUE_INDEX, DUE_SHARDS, new_delivery
from matchcast.domain.task import Priority, new_task_id, utc_now
from matchcast.domain.webhook import Event, SecretRecord
from matchcast.ports import Received
from matchcast.webhook_messages import NewEvent, encode_webhook_message
from matchcast.webhooks.deliver import DeliverEvents
from matchcast.webhooks.sweep import SweepDeliveries
from tests.conformance.receiver import Site, receiver
from tests.proofs.claims import Claims
from tests.proofs.engine import Meter, Storage, storage
from tests.support.template import load
from tests.support.webhooks import an_event

TABLE, CONTROL = "webhooks", "delivered"
ROUNDS, NEW = 4, 20
DUE = 500
TENANT = "north"
SLOWER = 1.5
"""How many times as long a new event may take as one beside as many records of which none waits: an engine in one
process is slower with many records, whatever they are."""


def backlog(claims: Claims, waiting: int) -> None:
    """Deliver new events without and with a backlog, and sweep it."""
    claims.say("starting an engine with the template's table of webhooks")
    with storage() as stored, receiver() as receives:
        deliveries, delivered = (_table(stored, name) for name in (TABLE, CONTROL))
        site = receives.site()
        claims.say(f"putting {waiting} deliveries that wait for their fourth attempt or a later one; others have ended")
        now = utc_now()
        _put(stored, TABLE, (_waiting(number, now, site.url) for number in range(waiting)))
        _put(stored, CONTROL, (_delivered(number, now, site.url) for number in range(waiting)))
        claims.say("delivering new events beside both, in turn")
        _waits(deliveries, site)  # connections that are open already
        beside_ended, beside_waiting = list[float](), list[float]()
        for _ in range(ROUNDS):
            beside_ended += _waits(delivered, site)
            beside_waiting += _waits(deliveries, site)
        idle = _swept(stored, deliveries)
        claims.say(f"{DUE} of them become due")
        _put(stored, TABLE, (_waiting(number, now, site.url, due=True) for number in range(DUE)))
        due = _swept(stored, deliveries)
    slower = statistics.median(beside_waiting) / statistics.median(beside_ended)
    claims.hold(
        "new events do not wait for those that wait for a retry",
        holds=slower < SLOWER and len(site.requests) == (2 * ROUNDS + 1) * NEW,
        waiting_retries=waiting,
        new_event_ms_beside_delivered=round(statistics.median(beside_ended) * 1000, 1),
        new_event_ms_beside_waiting=round(statistics.median(beside_waiting) * 1000, 1),
        longest_ms_beside_delivered=round(max(beside_ended) * 1000, 1),
        longest_ms_beside_waiting=round(max(beside_waiting) * 1000, 1),
    )
    claims.hold(
        "a sweep reads what is due, and nothing of what is not",
        holds=idle["sent"] == 0 == idle["entries"] and due["sent"] == DUE and due["entries"] <= 2 * DUE + DUE_SHARDS,
        sweep_seconds=idle["seconds"],
        sweep_entries_read=idle["entries"],
        sweep_of_due_seconds=due["seconds"],
        sweep_of_due_sent=due["sent"],
        sweep_of_due_entries_read=due["entries"],
    )


def _table(stored: Storage, name: str) -> DynamoDBDeliveries:
    wanted = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    properties = load()["Resources"]["WebhooksTable"]["Properties"]
    stored.dynamodb.create_table(TableName=name, **{each: properties[each] for each in wanted})
    return DynamoDBDeliveries(stored.dynamodb, name)


def _waits(deliveries: DynamoDBDeliveries, site: Site) -> Sequence[float]:
    """Return how long each of some new events takes from its message to its receiver, in seconds."""
    secrets = InMemorySecrets()
    secrets.add(TENANT, SecretRecord(secret_id="first", created_at=utc_now()), b"k" * 32)
    worker = DeliverEvents(
        deliveries=deliveries,
        endpoints=InMemoryEndpoints(),
        secrets=secrets,
        queue=InMemoryWebhookQueue(),
        poster=HttpsPoster(loopback=True),
        now=utc_now,
        report=lambda _: None,
    )
    waits = []
    for number in range(NEW):
        event = _event(site.url)
        body = encode_webhook_message(NewEvent(event=event))
        began = time.time()
        [outcome] = worker.deliver([Received(str(number), str(number), body, Priority.NORMAL)])
        assert outcome.done, outcome
        waits.append(site.requests[-1].arrived - began)
    return waits


def _event(url: str) -> Event:
    now = utc_now()
    return an_event(task_id=new_task_id(now), created_at=now, completed_at=now, tenant=TENANT, callback_url=url)


def _waiting(number: int, now: datetime, url: str, *, due: bool = False) -> dict[str, Any]:
    """Return the item of a delivery that is looked at within the next day, or was to be lately."""
    look_at = now - timedelta(seconds=1) if due else now + timedelta(seconds=3_600 + number % 82_800)
    item = new_delivery(_event(url), look_at)
    return item | {"tried": {"N": "3"}, "next_attempt_at": {"N": str((look_at + timedelta(minutes=5)).timestamp())}}


def _delivered(number: int, now: datetime, url: str) -> dict[str, Any]:
    """Return the item of a delivery that has ended."""
    item = _waiting(number, now, url) | {"state": {"S": "delivered"}}
    return {name: value for name, value in item.items() if name not in ("due_shard", "look_at", "next_attempt_at")}


def _put(stored: Storage, table: str, items: Iterator[dict[str, Any]]) -> None:
    def write(some: Sequence[dict[str, Any]]) -> None:
        requests = [{"PutRequest": {"Item": item}} for item in some]
        while requests:
            answer = stored.dynamodb.batch_write_item(RequestItems={table: requests})
            requests = answer.get("UnprocessedItems", {}).get(table, [])

    everything = list(items)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, (everything[at : at + 25] for at in range(0, len(everything), 25))))


def _swept(stored: Storage, deliveries: DynamoDBDeliveries) -> dict[str, float]:
    """Sweep, and return what that took and read."""
    meter = Meter(stored.dynamodb, {DUE_INDEX: 250})
    sweep = SweepDeliveries(deliveries, InMemoryWebhookQueue(), utc_now, time.monotonic)
    began = time.monotonic()
    with meter.measure() as measured:
        swept = sweep.sweep(seconds=600)
    seconds = round(time.monotonic() - began, 2)
    return {"seconds": seconds, "sent": swept.sent, "entries": round(measured["entries"])}
