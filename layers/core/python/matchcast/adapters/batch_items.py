"""Batches and parts as items of the tasks table."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from matchcast.domain.batch import Batch, Part
from matchcast.domain.task import GONE_FOR

Item = dict[str, Any]

PART = "part#"
COUNTS = ("succeeded", "failed", "parts_done")
"""What every part that ends adds to its batch."""
_DOCUMENTS = ("provenance", "error")
OPTIONAL = frozenset(
    {"open_sample", "open_until", *(name for name, field in Batch.model_fields.items() if field.default is None)}
)
"""Attributes that an item of a batch may lack."""


def batch_key(batch_id: str) -> Item:
    """Return the key of a batch."""
    return {"pk": {"S": f"batch#{batch_id}"}, "sk": {"S": "batch"}}


def part_key(batch_id: str, part: int) -> Item:
    """Return the key of a part of a batch."""
    return {"pk": {"S": f"batch#{batch_id}"}, "sk": {"S": f"{PART}{part:05d}"}}


def tenant_shard(tenant: str) -> Item:
    """Return where the index of tenants has the batches of one; those of its tasks end with a number."""
    return {"S": f"{tenant}#batches"}


def number(value: int) -> Item:
    """Return a number as an attribute."""
    return {"N": str(value)}


def moment(at: datetime) -> Item:
    """Return a time as a number, to the millisecond."""
    return {"N": f"{at.timestamp():.3f}"}


def ttl(expires_at: datetime) -> Item:
    """Return when DynamoDB may delete what expires at some time: when that is forgotten."""
    return number(int((expires_at + GONE_FOR).timestamp()))


def batch_item(batch: Batch) -> Item:
    """Return the item of a batch; what is null is left out."""
    item: Item = {**batch_key(batch.batch_id), **_attributes(batch), "task_id": {"S": batch.batch_id}}
    item |= {"ttl": ttl(batch.expires_at), "tenant_shard": tenant_shard(batch.tenant)}
    if not batch.status.is_final:
        item |= {"open_sample": tenant_shard(batch.tenant), "open_until": moment(batch.expires_at)}
    return item


def read_batch(item: Item) -> Batch:
    """Return the batch of an item."""
    content = {name: _value(item[name]) for name in Batch.model_fields if name in item}
    return Batch.model_validate(
        content | {name: json.loads(str(content[name])) for name in _DOCUMENTS if name in content}
    )


def part_values(part: Part) -> Item:
    """Return the attributes that say how a part ended."""
    return _attributes(part)


def read_part(item: Item) -> Part | None:
    """Return how the part of an item ended; None if it never did, and has failed attempts alone."""
    if "generation" not in item:
        return None
    return Part.model_validate({name: _value(item[name]) for name in Part.model_fields if name in item})


def _attributes(record: Batch | Part) -> Item:
    """Return numbers as numbers, texts as texts, and all else as JSON; what is null is left out."""
    content = {name: value for name, value in record.model_dump(mode="json").items() if value is not None}
    # Nulls inside of a document stay.
    return {
        name: number(value) if isinstance(value, int) else {"S": value if isinstance(value, str) else json.dumps(value)}
        for name, value in content.items()
    }


def _value(attribute: Item) -> int | str:
    text: str = attribute.get("S", "")
    return int(attribute["N"]) if "N" in attribute else text
