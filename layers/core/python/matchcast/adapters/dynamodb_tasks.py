"""The tasks table on DynamoDB: every write is one conditional request.

A task is the item `task#<task_id>`, `task`. Its `tenant_shard` puts it into the tenant index, spread over
several keys so that one busy tenant does not overload one partition; `ttl` is when DynamoDB may delete it.
That index holds only what never changes, so that the final write does not touch it.

While a task is open it may have an `open_sample` and `open_until`, which put it into the index of open tasks.
One new task of `counted_one_in` is in that sample, at random, so that no tenant knows which of its tasks count.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from matchcast.adapters.aws_errors import error_code, unavailable_as
from matchcast.adapters.batch_reads import BatchReads
from matchcast.domain.task import CREATE, FINISH, GONE_FOR, SUPERSEDE, IdPage, Task, WriteRule
from matchcast.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TENANT_INDEX = "tenant_index"
OPEN_INDEX = "open_index"
_EXAMINED = 2000
"""So many entries of the tenant index one call looks at for the tasks of one match."""
_TEXTS = ("task_id", "tenant", "match_id", "stage", "callback_url", "retry_of", "batch_id")
_TIMES = ("created_at", "completed_at", "start_by", "expires_at")
_DOCUMENTS = ("features", "result", "error")
_NUMBERS = ("attempts", "generation")

Item = dict[str, Any]


class DynamoDBTasks:
    """A `TaskStore` and its `TaskIndex` on one table."""

    def __init__(self, client: DynamoDBClient, table: str, shards: int, counted_one_in: int = 1) -> None:
        self._client = client
        self._table = table
        self._shards = shards
        self._counted_one_in = counted_one_in
        self._reads = BatchReads(client, table)

    def get_many(self, task_ids: Sequence[str]) -> Mapping[str, Task]:
        """Return the tasks that exist, by id, read consistently."""
        return {task.task_id: task for task in map(read_task, self._reads.items([_key(each) for each in task_ids]))}

    def create(self, task: Task) -> bool:
        """Put a new task; False if a record with its id is there already."""
        item = self._item(task)
        if not task.status.is_final and random.randrange(self._counted_one_in) == 0:  # noqa: S311 - no secret
            item |= self._sampled(task)
        return self._write(self._client.put_item, CREATE, task, Item=item) is not None

    def finish(self, task: Task) -> bool:
        """Write a final state if the record is missing, or queued in the same generation; False if it lost."""
        ended = ", attempts = if_not_exists(attempts, :count) REMOVE open_sample, open_until"
        return self._update(task, ended, count=0) is not None

    def record_attempt(self, task: Task) -> int | None:
        """Count a failed attempt of a task that is missing or still queued in this generation."""
        answer = self._update(task, " ADD attempts :count", count=1, ReturnValues="UPDATED_NEW")
        return None if answer is None else int(answer["Attributes"]["attempts"]["N"])

    def supersede(self, task: Task) -> bool:
        """Write a task over its failure in the generation before; False if there is another record, or none."""
        return self._write(self._client.put_item, SUPERSEDE, task, Item=self._item(task)) is not None

    def list_ids(self, tenant: str, before: str | None, limit: int, match_id: str | None = None) -> IdPage:
        """Return up to `limit` ids of a tenant's tasks older than the id `before`; fewer may not be all."""
        # Ids are spread at random: twice its share of a page is nearly always as much of it as a shard has.
        each_shard = -(-_EXAMINED // self._shards) if match_id else min(limit, 2 * -(-limit // self._shards) + 8)
        with unavailable_as(StorageUnavailable, self._name):
            shards = [
                self._shard_ids(f"{tenant}#{shard}", before, each_shard, match_id) for shard in range(self._shards)
            ]
        # Below the newest id up to which a shard was read, that shard may have more.
        read_to = max((page.next_before for page in shards if page.next_before is not None), default="")
        ids = sorted((each for page in shards for each in page.ids if each >= read_to), reverse=True)
        if len(ids) > limit:
            return IdPage(ids[:limit], next_before=ids[limit - 1])
        return IdPage(ids, next_before=read_to or None)

    def count_open(self, tenant: str, now: datetime, most: int) -> int:
        """Return about how many tasks a tenant has open, counted to about `most`; redriven ones do not count."""
        with unavailable_as(StorageUnavailable, self._name):
            page = self._client.query(
                TableName=self._table,
                IndexName=OPEN_INDEX,
                KeyConditionExpression="open_sample = :sample AND open_until >= :now",
                ExpressionAttributeValues={":sample": self._open_sample(tenant), ":now": _moment(now)},
                Select="COUNT",
                Limit=-(-most // self._counted_one_in),
            )
        return page["Count"] * self._counted_one_in

    @property
    def _name(self) -> str:
        return f"The tasks table {self._table}"

    def _shard_ids(self, shard: str, before: str | None, limit: int, match_id: str | None) -> IdPage:
        """Return ids among the next `limit` entries of a shard: all of them, or those of one match."""
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": TENANT_INDEX,
            "KeyConditionExpression": "tenant_shard = :shard",
            "ExpressionAttributeValues": {":shard": {"S": shard}},
            "ProjectionExpression": "task_id",
            "ScanIndexForward": False,
            "Limit": limit,
        }
        if before is not None:
            query["KeyConditionExpression"] += " AND task_id < :before"
            query["ExpressionAttributeValues"][":before"] = {"S": before}
        if match_id is not None:
            query["FilterExpression"] = "match_id = :match_id"
            query["ExpressionAttributeValues"][":match_id"] = {"S": match_id}
        page = self._client.query(**query)
        read_to = page.get("LastEvaluatedKey")
        return IdPage([item["task_id"]["S"] for item in page["Items"]], read_to["task_id"]["S"] if read_to else None)

    def _sampled(self, task: Task) -> Item:
        return {"open_sample": self._open_sample(task.tenant), "open_until": _moment(task.open_until)}

    def _open_sample(self, tenant: str) -> Item:
        # Samples of another size, from before the limit changed, are not mixed with this one.
        return {"S": f"{tenant}#{self._counted_one_in}"}

    def _update(self, task: Task, attempts: str, *, count: int, **request: Any) -> Item | None:
        """Set every attribute but the failed attempts: they are counted in the table, the message has no count."""
        attributes = self._item(task)
        # Every name is escaped, for some are reserved.
        names = sorted(set(attributes) - {"pk", "sk", "attempts"})
        return self._write(
            self._client.update_item,
            FINISH,
            task,
            Key=_key(task.task_id),
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in names) + attempts,
            ExpressionAttributeNames={f"#{name}": name for name in names},
            ExpressionAttributeValues={":count": {"N": str(count)}, **{f":{name}": attributes[name] for name in names}},
            **request,
        )

    def _write(self, operation: Any, rule: WriteRule, task: Task, **request: Any) -> Item | None:
        """Make a write that goes over the records of its rule alone; None if it met another one."""
        conditions = ["attribute_not_exists(pk)"] if rule.is_first else []
        if rule.status is not None:
            conditions.append("(#status = :expected_status AND generation = :expected_generation)")
            generation = task.generation - rule.generations_later
            expected = {":expected_status": {"S": rule.status}, ":expected_generation": {"N": str(generation)}}
            request["ExpressionAttributeNames"] = {"#status": "status", **request.get("ExpressionAttributeNames", {})}
            request["ExpressionAttributeValues"] = {**expected, **request.get("ExpressionAttributeValues", {})}
        with unavailable_as(StorageUnavailable, self._name):
            try:
                answer: Item = operation(TableName=self._table, ConditionExpression=" OR ".join(conditions), **request)
            except ClientError as error:
                if error_code(error) == "ConditionalCheckFailedException":
                    return None
                raise
        return answer

    def _item(self, task: Task) -> Item:
        # Nulls inside of a document stay: a result without a match says so.
        content = {name: value for name, value in task.model_dump(mode="json").items() if value is not None}
        item: Item = {**_key(task.task_id), "status": {"S": task.status}, "priority": {"S": task.priority}}
        item |= {name: {"S": content[name]} for name in (*_TEXTS, *_TIMES) if name in content}
        item |= {name: {"S": json.dumps(content[name])} for name in _DOCUMENTS if name in content}
        item |= {name: {"N": str(content[name])} for name in _NUMBERS}
        shard = zlib.crc32(task.task_id.encode()) % self._shards
        item["tenant_shard"] = {"S": f"{task.tenant}#{shard}"}
        item["ttl"] = {"N": str(int((task.expires_at + GONE_FOR).timestamp()))}
        return item


def _key(task_id: str) -> Item:
    return {"pk": {"S": f"task#{task_id}"}, "sk": {"S": "task"}}


def _moment(moment: datetime) -> Item:
    return {"N": f"{moment.timestamp():.3f}"}


def read_task(item: Item) -> Task:
    """Return the task of an item."""
    content: dict[str, Any] = {"status": item["status"]["S"], "priority": item["priority"]["S"]}
    content |= {name: item[name]["S"] for name in _TEXTS if name in item}
    content |= {name: datetime.fromisoformat(item[name]["S"]) for name in _TIMES if name in item}
    content |= {name: json.loads(item[name]["S"]) for name in _DOCUMENTS if name in item}
    content |= {name: int(item[name]["N"]) for name in _NUMBERS if name in item}
    return Task.model_validate(content)
