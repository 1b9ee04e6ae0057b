"""Batches and their parts in the tasks table: every write is conditional, and a part ends by one transaction.

A batch is the item `batch#<batch_id>`, `batch`, in the same indexes as tasks, under `<tenant>#batches`: in that of open
tasks while it has not ended. A part is the item `batch#<batch_id>`, `part#00017`. Its failed attempts have attributes
of their own, so that counting them never disturbs how it last ended.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from matchcast.adapters.aws_errors import unavailable_as
from matchcast.adapters.backoff import Backoff
from matchcast.adapters.batch_items import (
    COUNTS,
    OPTIONAL,
    PART,
    batch_item,
    batch_key,
    moment,
    number,
    part_key,
    part_values,
    read_batch,
    read_part,
    tenant_shard,
    ttl,
)
from matchcast.adapters.batch_reads import BatchReads
from matchcast.adapters.dynamodb_tasks import OPEN_INDEX, TENANT_INDEX
from matchcast.adapters.marked_writes import MarkedWrites
from matchcast.domain.batch import Batch, BatchStatus, Part
from matchcast.domain.task import IdPage, utc_now
from matchcast.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_LONGEST_LIFE = timedelta(days=3)
"""No batch lives longer, so nobody counts the attempts of its parts after that."""


class DynamoDBBatches:
    """A `BatchStore` and its `BatchIndex` on one table."""

    def __init__(self, client: DynamoDBClient, table: str, backoff: Callable[[], Backoff] = Backoff) -> None:
        self._client = client
        self._table = table
        self._writes = MarkedWrites(client, table, self._name, backoff)
        self._reads = BatchReads(client, table)

    def get_many(self, batch_ids: Sequence[str]) -> Mapping[str, Batch]:
        """Return the batches that exist, by id, read consistently."""
        batches = map(read_batch, self._reads.items([batch_key(each) for each in dict.fromkeys(batch_ids)]))
        return {batch.batch_id: batch for batch in batches}

    def create(self, batch: Batch) -> bool:
        """Put a new batch; False if a record with its id is there already."""
        item = batch_item(batch)
        return self._writes.write(
            self._client.put_item, TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)"
        )

    def change(self, batch: Batch, over: Collection[BatchStatus], generation: int | None = None) -> bool:
        """Write a batch over a record that is in one of some states, in a generation (default: the batch's own).

        Parts may end meanwhile if it may be running, so then the counts that they add to stay as they are.
        """
        key, mark = batch_key(batch.batch_id), uuid.uuid4().hex
        kept = {*key, *(COUNTS if BatchStatus.RUNNING in over else ())}
        values = {name: value for name, value in batch_item(batch).items() if name not in kept} | {"mark": {"S": mark}}
        gone = sorted(OPTIONAL - set(values))
        removed = " REMOVE " + ", ".join(f"#{name}" for name in gone) if gone else ""
        states = {f":over{place}": {"S": status} for place, status in enumerate(over)}
        won = self._writes.write(
            self._client.update_item,
            TableName=self._table,
            Key=key,
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values) + removed,
            ConditionExpression=f"#status IN ({', '.join(states)}) AND #generation = :expected",
            ExpressionAttributeNames={f"#{name}": name for name in (*values, *gone)},
            ExpressionAttributeValues={
                **{f":{name}": value for name, value in values.items()},
                **states,
                ":expected": number(batch.generation if generation is None else generation),
            },
        )
        return won or self._writes.has_mark(key, mark)

    def parts(self, batch_id: str) -> Sequence[Part]:
        """Return the parts that have ended, in any generation, by number, read consistently."""
        with unavailable_as(StorageUnavailable, self._name):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :part)",
                ExpressionAttributeValues={":pk": batch_key(batch_id)["pk"], ":part": {"S": PART}},
                ConsistentRead=True,
            )
            found = [read_part(item) for page in pages for item in page["Items"]]
        return sorted((part for part in found if part is not None), key=lambda part: part.number)

    def part(self, batch_id: str, number: int) -> Part | None:
        """Return a part as it last ended, read consistently."""
        item = self._writes.item(part_key(batch_id, number))
        return None if item is None else read_part(item)

    def finish_part(self, batch: Batch, part: Part, before: Part | None) -> bool:
        """Write how a part ended and add its counts to those of its batch, in one transaction.

        Other parts of the batch that end at the same time make the table refuse it; then it is tried again.
        """
        key, mark = part_key(batch.batch_id, part.number), uuid.uuid4().hex
        ended = {**part_values(part), "ttl": ttl(batch.expires_at), "mark": {"S": mark}}
        known = {} if before is None else {":before": number(before.generation)}
        part_write = {
            "TableName": self._table,
            "Key": key,
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in ended),
            "ConditionExpression": "#generation = :before AND #generation < :generation"
            if known
            else "attribute_not_exists(#generation)",
            "ExpressionAttributeNames": {f"#{name}": name for name in ended},
            "ExpressionAttributeValues": {**{f":{name}": value for name, value in ended.items()}, **known},
        }
        batch_write = {
            "TableName": self._table,
            "Key": batch_key(batch.batch_id),
            "UpdateExpression": "ADD " + ", ".join(f"{name} :{name}" for name in COUNTS),
            "ConditionExpression": "#status = :running AND generation = :generation",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {
                ":succeeded": number(part.succeeded - (before.succeeded if before else 0)),
                ":failed": number(part.retriable),
                ":parts_done": number(1),
                ":running": {"S": BatchStatus.RUNNING},
                ":generation": number(part.generation),
            },
        }
        writes = [{"Update": batch_write}, {"Update": part_write}]
        # The token has DynamoDB answer a repeated request as the first one, for ten minutes.
        won = self._writes.write(self._client.transact_write_items, TransactItems=writes, ClientRequestToken=mark)
        return won or self._writes.has_mark(key, mark)

    def record_part_attempt(self, batch_id: str, number: int, generation: int) -> int:
        """Count a failed attempt of a part in a generation, and return the count."""
        count = f"attempts_{generation}"
        forgotten = ttl(utc_now() + _LONGEST_LIFE)
        with unavailable_as(StorageUnavailable, self._name):
            answer = self._writes.asked(
                self._client.update_item,
                TableName=self._table,
                Key=part_key(batch_id, number),
                UpdateExpression=f"SET #ttl = if_not_exists(#ttl, :ttl) ADD {count} :one",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues={":ttl": forgotten, ":one": {"N": "1"}},
                ReturnValues="UPDATED_NEW",
            )
        return int(answer["Attributes"][count]["N"])

    def list_ids(self, tenant: str, before: str | None, limit: int) -> IdPage:
        """Return up to `limit` ids of a tenant's batches older than the id `before`; fewer may not be all."""
        older = {} if before is None else {":before": {"S": before}}
        with unavailable_as(StorageUnavailable, self._name):
            page = self._client.query(
                TableName=self._table,
                IndexName=TENANT_INDEX,
                KeyConditionExpression="tenant_shard = :shard" + (" AND task_id < :before" if older else ""),
                ExpressionAttributeValues={":shard": tenant_shard(tenant), **older},
                ProjectionExpression="task_id",
                ScanIndexForward=False,
                Limit=limit,
            )
        ids = [item["task_id"]["S"] for item in page["Items"]]
        return IdPage(ids, next_before=ids[-1] if ids and "LastEvaluatedKey" in page else None)

    def count_open(self, tenant: str, now: datetime, most: int) -> int:
        """Return how many batches of a tenant have not ended, counted to `most`."""
        with unavailable_as(StorageUnavailable, self._name):
            page = self._client.query(
                TableName=self._table,
                IndexName=OPEN_INDEX,
                KeyConditionExpression="open_sample = :sample AND open_until >= :now",
                ExpressionAttributeValues={":sample": tenant_shard(tenant), ":now": moment(now)},
                Select="COUNT",
                Limit=most,
            )
        return page["Count"]

    @property
    def _name(self) -> str:
        return f"The tasks table {self._table}"
