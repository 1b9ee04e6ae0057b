"""Deliveries in the table of webhooks: every write is conditional on series and attempts, and knows itself again.

The layout of the table is in `webhook_items`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from matchcast.adapters.aws_errors import unavailable_as
from matchcast.adapters.backoff import Backoff
from matchcast.adapters.batch_items import moment, number
from matchcast.adapters.marked_writes import Item, MarkedWrites
from matchcast.adapters.webhook_items import (
    DUE_INDEX,
    DUE_SHARDS,
    KEPT,
    MOST_ATTEMPTS,
    TENANT_INDEX,
    attempt_name,
    delivery_key,
    due_shard,
    event_id_of,
    new_delivery,
    occurred,
    read_delivery,
    read_moment,
    subject_pk,
    ttl,
)
from matchcast.domain.webhook import Attempt, Delivery, DeliveryState, Event
from matchcast.errors import StorageUnavailable
from matchcast.webhook_messages import NextAttempt

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PRESENT = "#state = :pending AND series = :series AND tried = :tried"
"""The condition of writes that belong to one attempt."""


class DynamoDBDeliveries:
    """A `DeliveryStore` on the table of webhooks."""

    def __init__(self, client: DynamoDBClient, table: str, backoff: Callable[[], Backoff] = Backoff) -> None:
        self._client = client
        self._table = table
        self._name = f"The table of webhooks {table}"
        self._writes = MarkedWrites(client, table, self._name, backoff)

    def create(self, event: Event, look_at: datetime) -> bool:
        """Put a new pending delivery that nothing has been tried for; False if there is one."""
        return self._writes.put(new_delivery(event, look_at))

    def get(self, event_id: str) -> Delivery | None:
        """Return a delivery, read consistently."""
        item = self._writes.item(delivery_key(event_id))
        return None if item is None else read_delivery(item)

    def of_subject(self, subject_id: str) -> Sequence[Delivery]:
        """Return the deliveries of a task or batch, by generation, read consistently."""
        with unavailable_as(StorageUnavailable, self._name):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": subject_pk(subject_id)},
                ConsistentRead=True,
            )
            found = [read_delivery(item) for page in pages for item in page["Items"]]
        return sorted(found, key=lambda each: each.event.generation)

    def claim(self, delivery: Delivery, attempt: Attempt, look_at: datetime) -> bool:
        """Begin an attempt: `tried` rises by one. False unless it is pending with this series and `tried`."""
        names = {"#attempts": "attempts", "#attempt": attempt_name(attempt)}
        oldest = delivery.attempts[: max(0, len(delivery.attempts) + 1 - MOST_ATTEMPTS)]
        forgotten = {f"#old{place}": attempt_name(each) for place, each in enumerate(oldest)}
        removed = " REMOVE " + ", ".join(f"#attempts.{name}" for name in forgotten) if forgotten else ""
        return self._change(
            delivery,
            f"#attempts.#attempt = :attempt, look_at = :look_at ADD tried :one{removed}",
            names=names | forgotten,
            values={":attempt": _text(attempt), ":look_at": moment(look_at), ":one": number(1)},
        )

    def end(
        self,
        delivery: Delivery,
        attempt: Attempt,
        state: DeliveryState,
        next_attempt_at: datetime | None,
        look_at: datetime | None,
    ) -> bool:
        """End the claimed attempt (`delivery` is as it was claimed); False if it is no longer the present one."""
        times = {"next_attempt_at": next_attempt_at, "look_at": look_at}
        written = {name: moment(at) for name, at in times.items() if at is not None}
        removed = [name for name in times if name not in written]
        if look_at is None:
            removed.append("due_shard")
        return self._change(
            delivery,
            "#attempts.#attempt = :attempt, #state = :state"
            + "".join(f", {name} = :{name}" for name in written)
            + (f" REMOVE {', '.join(removed)}" if removed else ""),
            names={"#attempts": "attempts", "#attempt": attempt_name(attempt)},
            values={
                ":attempt": _text(attempt),
                ":state": {"S": state},
                **{f":{name}": value for name, value in written.items()},
            },
        )

    def replay(self, delivery: Delivery, now: datetime, look_at: datetime) -> bool:
        """Begin the next series: pending, nothing tried, due now. False if another one has begun meanwhile."""
        return self._change(
            delivery,
            "series = :next, tried = :none, #state = :pending, next_attempt_at = :now, look_at = :look_at, "
            "due_shard = :shard, #ttl = :ttl",
            condition="series = :series",
            names={"#ttl": "ttl"},
            values={
                ":next": number(delivery.series + 1),
                ":none": number(0),
                ":pending": {"S": DeliveryState.PENDING},
                ":now": moment(now),
                ":look_at": moment(look_at),
                ":shard": due_shard(delivery.event.event_id),
                ":ttl": ttl(now + KEPT),
            },
        )

    def between(
        self, tenant: str, since: datetime, until: datetime, cursor: str | None, limit: int
    ) -> tuple[Sequence[str], str | None]:
        """Return ids of a tenant's events by when they occurred, `until` excluded; the cursor is the last one's place.

        The index is eventually consistent.
        """
        # No id holds a character so low, so this is right behind the cursor.
        first = occurred(since) if cursor is None else {"S": f"{cursor}!"}
        last = {"S": occurred(until)["S"].removesuffix("#")}
        if first["S"] >= last["S"]:
            return [], None
        with unavailable_as(StorageUnavailable, self._name):
            page = self._client.query(
                TableName=self._table,
                IndexName=TENANT_INDEX,
                KeyConditionExpression="tenant = :tenant AND occurred BETWEEN :first AND :last",
                ExpressionAttributeValues={":tenant": {"S": tenant}, ":first": first, ":last": last},
                Limit=limit,
            )
        ids = [event_id_of(item) for item in page["Items"]]
        return ids, page["Items"][-1]["occurred"]["S"] if ids and "LastEvaluatedKey" in page else None

    def due(self, until: datetime, limit: int) -> Sequence[NextAttempt]:
        """Return the pending deliveries whose `look_at` has come, the oldest first; the index is eventually consistent.

        Each message says when its attempt is, or was, due.
        """
        return [
            NextAttempt(
                tenant=entry["tenant"]["S"],
                event_id=event_id_of(entry),
                series=int(entry["series"]["N"]),
                tried=int(entry["tried"]["N"]),
                due_at=read_moment(entry["next_attempt_at"]),
            )
            for entry in self._due(until, limit)
        ]

    def looked_at(self, attempt: NextAttempt, look_at: datetime) -> None:
        """Have the sweep look again later; nothing if the delivery has changed meanwhile.

        Series and attempts alone do not tell: the end of an attempt whose worker died leaves both as they are.
        """
        due = {} if attempt.due_at is None else {":due_at": moment(attempt.due_at)}
        self._writes.write(
            self._client.update_item,
            TableName=self._table,
            Key=delivery_key(attempt.event_id),
            UpdateExpression="SET look_at = :look_at",
            ConditionExpression=_PRESENT + (" AND next_attempt_at = :due_at" if due else ""),
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues=_present(attempt.series, attempt.tried) | due | {":look_at": moment(look_at)},
        )

    def oldest_due(self, now: datetime) -> datetime | None:
        """Return the earliest `look_at` that has passed, eventually consistent."""
        entries = self._due(now, 1)
        return read_moment(entries[0]["look_at"]) if entries else None

    def _due(self, until: datetime, limit: int) -> list[Item]:
        page = min(limit, limit // DUE_SHARDS + 8)
        shards = [self._due_in(str(shard), until, page) for shard in range(DUE_SHARDS)]
        merged = heapq.merge(*shards, key=lambda entry: float(entry["look_at"]["N"]))
        return list(islice(merged, limit))

    def _due_in(self, shard: str, until: datetime, page: int) -> Iterator[Item]:
        """Yield the entries of a shard, the oldest first, read page by page as far as they are asked for."""
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": DUE_INDEX,
            "KeyConditionExpression": "due_shard = :shard AND look_at <= :until",
            "ExpressionAttributeValues": {":shard": {"S": shard}, ":until": moment(until)},
            "Limit": page,
        }
        while True:
            with unavailable_as(StorageUnavailable, self._name):
                answer = self._client.query(**query)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _change(
        self,
        delivery: Delivery,
        assignments: str,
        *,
        values: Mapping[str, Item],
        names: Mapping[str, str] | None = None,
        condition: str = _PRESENT,
    ) -> bool:
        known = _present(delivery.series, delivery.tried)
        if condition != _PRESENT:
            del known[":tried"]
        return self._writes.change(
            delivery_key(delivery.event.event_id),
            assignments,
            condition=condition,
            values={**known, **values},
            names={"#state": "state", **(names or {})},
        )


def _present(series: int, tried: int) -> dict[str, Item]:
    return {":pending": {"S": DeliveryState.PENDING}, ":series": number(series), ":tried": number(tried)}


def _text(attempt: Attempt) -> Item:
    return {"S": attempt.model_dump_json(exclude_none=True)}
