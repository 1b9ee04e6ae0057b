"""The tasks table on DynamoDB: every write is one conditional request.

A task is the item `task#<task_id>`, `task`. Its `tenant_shard` puts it into the tenant index, spread over
several keys so that one busy tenant does not overload one partition; `ttl` is when DynamoDB may delete it.
The index holds only what never changes, so that the final write does not touch it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from heapq import nlargest
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from matchcast.adapters.aws_errors import error_code, unavailable_as
from matchcast.domain.task import CREATE, FINISH, GONE_FOR, REOPEN, Task, WriteRule
from matchcast.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TENANT_INDEX = "tenant_index"
_BATCH_GET_LIMIT = 100
_TEXTS = ("task_id", "tenant", "match_id", "stage", "callback_url", "retry_of", "batch_id")
_TIMES = ("created_at", "completed_at", "start_by", "expires_at")
_DOCUMENTS = ("features", "result", "error")
_NUMBERS = ("attempts", "generation")

Item = dict[str, Any]


class DynamoDBTasks:
    """A `TaskStore` and its `TaskIndex` on one table."""

    def __init__(self, client: DynamoDBClient, table: str, shards: int) -> None:
        self._client = client
        self._table = table
        self._shards = shards

    def get_many(self, task_ids: Sequence[str]) -> Mapping[str, Task]:
        """Return the tasks that exist, by id, read consistently."""
        found: dict[str, Task] = {}
        for start in range(0, len(task_ids), _BATCH_GET_LIMIT):
            keys = [_key(task_id) for task_id in task_ids[start : start + _BATCH_GET_LIMIT]]
            found.update((task.task_id, task) for task in map(_read, self._batch_get(keys)))
        return found

    def create(self, task: Task) -> bool:
        """Put a new task; False if a record with its id is there already."""
        return self._write(self._client.put_item, CREATE, task, Item=self._item(task)) is not None

    def finish(self, task: Task) -> bool:
        """Write a final state if the record is missing, or queued in the same generation; False if it lost."""
        return self._update(task, ", attempts = if_not_exists(attempts, :count)", count=0) is not None

    def record_attempt(self, task: Task) -> int | None:
        """Count a failed attempt of a task that is missing or still queued in this generation."""
        answer = self._update(task, " ADD attempts :count", count=1, ReturnValues="UPDATED_NEW")
        return None if answer is None else int(answer["Attributes"]["attempts"]["N"])

    def reopen(self, task: Task) -> bool:
        """Write a failed task as queued again, in the generation after; False if it is in another state."""
        return self._write(self._client.put_item, REOPEN, task, Item=self._item(task)) is not None

    def list_ids(self, tenant: str, before: str | None, limit: int, match_id: str | None = None) -> Sequence[str]:
        """Return up to `limit` ids of a tenant's tasks, newest first, older than the id `before`."""
        newest: list[str] = []
        with unavailable_as(StorageUnavailable, self._name):
            for shard in range(self._shards):
                newest += self._shard_ids(f"{tenant}#{shard}", before, limit, match_id)
        return nlargest(limit, newest)

    @property
    def _name(self) -> str:
        return f"The tasks table {self._table}"

    def _batch_get(self, keys: list[Item]) -> Iterable[Item]:
        with unavailable_as(StorageUnavailable, self._name):
            request: Any = {self._table: {"Keys": keys, "ConsistentRead": True}}
            while request:
                answer = self._client.batch_get_item(RequestItems=request)
                yield from answer["Responses"].get(self._table, [])
                request = answer.get("UnprocessedKeys")

    def _shard_ids(self, shard: str, before: str | None, limit: int, match_id: str | None) -> list[str]:
        """Return up to `limit` ids of one shard; a filter reads on until it has them."""
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
            del query["Limit"]
        ids: list[str] = []
        while len(ids) < limit:
            page = self._client.query(**query)
            ids += [item["task_id"]["S"] for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                break
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return ids[:limit]

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


def _read(item: Item) -> Task:
    content: dict[str, Any] = {"status": item["status"]["S"], "priority": item["priority"]["S"]}
    content |= {name: item[name]["S"] for name in _TEXTS if name in item}
    content |= {name: datetime.fromisoformat(item[name]["S"]) for name in _TIMES if name in item}
    content |= {name: json.loads(item[name]["S"]) for name in _DOCUMENTS if name in item}
    content |= {name: int(item[name]["N"]) for name in _NUMBERS if name in item}
    return Task.model_validate(content)
