"""Deliveries as items of the table of webhooks, with the layout of that table.

====================================  =======================================================================
`pk`, `sk` (both S)                   Item
====================================  =======================================================================
`subject#{id without dashes}`,        A delivery. Its event_id is `evt_{id without dashes}_{generation}`, so it
`event#{event_id}`                    leads to the key, and one consistent query reads all events of a subject.
`tenant#{tenant}`, `secret#{id}`      A signing secret: its value as KMS encrypted it (B), when it begins and ends.
`tenant#{tenant}`, `endpoint#{id}`    A callback address that fails or is disabled.
====================================  =======================================================================

Indexes, both sparse; only deliveries are in them:

- `due_index`: `due_shard` (S, "0" to "7"), `look_at` (N, seconds); INCLUDE `tenant`, `series`, `tried`,
  `next_attempt_at`. A delivery is in it while it is pending.
- `tenant_index`: `tenant` (S), `occurred` (S, milliseconds in ISO 8601 # event_id); KEYS_ONLY, never written again.

`ttl` (N) is when DynamoDB may delete an item: a delivery 14 days after its present series began, a secret a day after
its end, an address 90 days after its last failure.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

from matchcast.adapters.batch_items import moment, number
from matchcast.domain.webhook import Attempt, Delivery, DeliveryState, Event

Item = dict[str, Any]

TENANT_INDEX = "tenant_index"
DUE_INDEX = "due_index"
DUE_SHARDS = 8
KEPT = timedelta(days=14)
"""How long a delivery is kept after its record, or a replay: longer than any series of attempts."""
MOST_ATTEMPTS = 100
"""Attempts that a delivery keeps, the latest ones: replays may go on for ever, an item ends at 400 KB."""
_EVENT = "event#"
_TEXTS = ("event_id", "tenant", "type", "subject", "subject_id", "url", "body")


def delivery_key(event_id: str) -> Item:
    """Return the key of a delivery; an id of another form leads to none."""
    return {"pk": {"S": f"subject#{_subject_of(event_id)}"}, "sk": {"S": _EVENT + event_id}}


def subject_pk(subject_id: str) -> Item:
    """Return what the keys of all deliveries of a task or batch begin with."""
    return {"S": f"subject#{subject_id.replace('-', '')}"}


def tenant_pk(tenant: str) -> Item:
    """Return what the keys of a tenant's secrets and addresses begin with."""
    return {"S": f"tenant#{tenant}"}


def event_id_of(item: Item) -> str:
    """Return the id of the event whose delivery an item, or an entry of an index, belongs to."""
    key: str = item["sk"]["S"]
    return key.removeprefix(_EVENT)


def occurred(at: datetime, event_id: str = "") -> Item:
    """Return where an event stands among those of its tenant."""
    return {"S": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z#{event_id}"}


def ttl(at: datetime) -> Item:
    """Return when DynamoDB may delete an item."""
    return number(int(at.timestamp()))


def read_moment(attribute: Item) -> datetime:
    """Return a time that was written to the millisecond."""
    return datetime.fromtimestamp(float(attribute["N"]), UTC)


def new_delivery(event: Event, look_at: datetime) -> Item:
    """Return the item of a delivery that nothing has been tried for."""
    return {
        **delivery_key(event.event_id),
        **{name: {"S": getattr(event, name)} for name in _TEXTS},
        "generation": number(event.generation),
        "occurred_at": {"S": event.occurred_at.isoformat()},
        "occurred": occurred(event.occurred_at, event.event_id),
        "state": {"S": DeliveryState.PENDING},
        "series": number(0),
        "tried": number(0),
        "attempts": {"M": {}},
        "next_attempt_at": moment(event.occurred_at),
        "due_shard": due_shard(event.event_id),
        "look_at": moment(look_at),
        "ttl": ttl(look_at + KEPT),
    }


def read_delivery(item: Item) -> Delivery:
    """Return the delivery of an item."""
    content = {name: item[name]["S"] for name in _TEXTS}
    event = Event(
        **content,
        generation=int(item["generation"]["N"]),
        occurred_at=datetime.fromisoformat(item["occurred_at"]["S"]),
    )
    attempts = [Attempt.model_validate_json(each["S"]) for each in item["attempts"]["M"].values()]
    due = item.get("next_attempt_at")
    return Delivery(
        event=event,
        state=DeliveryState(item["state"]["S"]),
        series=int(item["series"]["N"]),
        tried=int(item["tried"]["N"]),
        attempts=tuple(sorted(attempts, key=lambda each: (each.series, each.number))),
        next_attempt_at=None if due is None else read_moment(due),
    )


def attempt_name(attempt: Attempt) -> str:
    """Return under which name an item has an attempt."""
    return f"{attempt.series}-{attempt.number}"


def due_shard(event_id: str) -> Item:
    """Return the part of the index of due deliveries that one is in: 0 to 7."""
    return {"S": str(zlib.crc32(event_id.encode()) % DUE_SHARDS)}


def _subject_of(event_id: str) -> str:
    return event_id.removeprefix("evt_").rpartition("_")[0]
