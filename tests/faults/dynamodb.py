"""A small DynamoDB: its tables with their indexes, as the template makes them.

Every item keeps its versions, so that indexes and reads that are not consistent can lag behind. `test_faithful.py`
asks moto the same questions.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.faults.calls import Calls
from tests.faults.expressions import Item, Unmodelled, holds, projected
from tests.faults.indexes import Index, indexes, order
from tests.faults.scheduler import Scheduler
from tests.faults.transactions import Key, ServiceError, Transactions, after_update, key_of

TABLE = "tasks"
WEBHOOKS_TABLE = "webhooks"


@dataclass
class Version:
    """What an item was from a moment on, and from when on the indexes show it so; None: it was not there."""

    written_at: float
    seen_at: float
    item: Item | None


class Table:
    """A table, behind its requests as the wire brings them; `resource` is its name in the template."""

    def __init__(self, scheduler: Scheduler, rng: random.Random, calls: Calls, resource: str = "TasksTable") -> None:
        self.on_write: Callable[[Item | None, Item | None], None] = lambda _before, _after: None
        """Is told of every change of an item."""
        self._resource = resource
        self._scheduler = scheduler
        self._rng = rng
        self._calls = calls
        self._versions: dict[Key, list[Version]] = {}
        self.busy_until: dict[Key, float] = {}
        """Until when a transaction writes an item."""
        self._operations = {
            "GetItem": self._get_item,
            "PutItem": self._put_item,
            "UpdateItem": self._update_item,
            "DeleteItem": self._delete_item,
            "BatchGetItem": self._batch_get_item,
            "Query": self._query,
            "TransactWriteItems": Transactions(self, scheduler, rng).handle,
        }

    def handle(self, operation: str, content: Any) -> dict[str, Any]:
        """Answer a request.

        Raises
        ------
        ServiceError
            If the service says no.
        """
        if operation not in self._operations:
            raise Unmodelled(f"DynamoDB's {operation}")
        return self._operations[operation](content)

    def items(self, prefix: str) -> Iterator[Item]:
        """Yield the items whose partition key begins with some text, as they are now."""
        for (pk, _), versions in self._versions.items():
            item = versions[-1].item
            if item is not None and pk.startswith(prefix):
                yield item

    def forget(self, now: float) -> int:
        """Delete the items whose time to live is over at a time since 1970, as the service does some day."""
        dead = [item for item in list(self.items("")) if "ttl" in item and float(item["ttl"]["N"]) < now]
        for item in dead:
            self.write((key_of(item), None))
        return len(dead)

    def is_busy(self, key: Key) -> bool:
        """Return whether a transaction is writing an item."""
        return self.busy_until.get(key, -1.0) > self._scheduler.now

    def now_of(self, key: Key) -> Item | None:
        """Return an item as it is now."""
        versions = self._versions.get(key)
        return versions[-1].item if versions else None

    def write(self, *changes: tuple[Key, Item | None]) -> None:
        """Write some items at once."""
        now, before = self._scheduler.now, [self.now_of(key) for key, _ in changes]
        for key, item in changes:
            versions = self._versions.setdefault(key, [])
            seen_at = now + self._calls.weather.lag * self._rng.random()
            versions.append(Version(now, max(seen_at, versions[-1].seen_at) if versions else seen_at, item))
        for old, (_, item) in zip(before, changes, strict=True):
            self.on_write(old, item)

    def _get_item(self, asked: Any) -> dict[str, Any]:
        key, at = key_of(asked["Key"]), self._scheduler.now
        if not asked.get("ConsistentRead"):
            at -= self._calls.weather.lag * self._rng.random()
        versions = self._versions.get(key, [])
        place = bisect_right([version.written_at for version in versions], at)
        item = versions[place - 1].item if place else None
        return {} if item is None else {"Item": _asked_for(asked, item)}

    def _put_item(self, asked: Any) -> dict[str, Any]:
        return self._change(asked, key_of(asked["Item"]), lambda _: asked["Item"])

    def _update_item(self, asked: Any) -> dict[str, Any]:
        return self._change(asked, key_of(asked["Key"]), lambda before: after_update(asked, before))

    def _delete_item(self, asked: Any) -> dict[str, Any]:
        return self._change(asked, key_of(asked["Key"]), lambda _: None)

    def _change(self, asked: Any, key: Key, change: Callable[[Item | None], Item | None]) -> dict[str, Any]:
        if self.is_busy(key):
            raise ServiceError("TransactionConflictException", "Transaction is ongoing for the item")
        before = self.now_of(key)
        names, values = asked.get("ExpressionAttributeNames"), asked.get("ExpressionAttributeValues")
        if not holds(asked.get("ConditionExpression"), before, names, values):
            raise ServiceError("ConditionalCheckFailedException", "The conditional request failed")
        after = change(before)
        if before is not None or after is not None:
            self.write((key, after))
        wanted = asked.get("ReturnValues", "NONE")
        if wanted == "NONE":
            return {}
        if wanted == "ALL_OLD":
            return {"Attributes": before} if before is not None else {}
        if wanted == "ALL_NEW":
            return {"Attributes": after}
        if wanted == "UPDATED_NEW":
            assert after is not None
            changed = {name: value for name, value in after.items() if name not in asked["Key"]}
            return {"Attributes": {n: v for n, v in changed.items() if n in _named(asked)}}
        raise Unmodelled(f"ReturnValues={wanted}")

    def _batch_get_item(self, asked: Any) -> dict[str, Any]:
        ((table, wanted),) = asked["RequestItems"].items()
        keys = sorted(wanted["Keys"], key=key_of)  # they come out of a set, in no order that a seed gives again
        if len({key_of(key) for key in keys}) < len(keys):
            raise ServiceError("ValidationException", "Provided list of item keys contains duplicates")
        if not 0 < len(keys) <= 100:
            raise ServiceError("ValidationException", "Too many items requested for the BatchGetItem call")
        left: list[Item] = []
        if self._rng.random() < self._calls.weather.unprocessed:
            keys = self._rng.sample(keys, len(keys))
            self._calls.trouble("some keys are left out")
            done = self._rng.randrange(len(keys))
            keys, left = keys[:done], keys[done:]
        found = [self._get_item({**wanted, "Key": key}).get("Item") for key in keys]
        answer: dict[str, Any] = {"Responses": {table: [item for item in found if item is not None]}}
        answer["UnprocessedKeys"] = {table: {**wanted, "Keys": left}} if left else {}
        return answer

    def _query(self, asked: Any) -> dict[str, Any]:
        index = indexes(self._resource)[asked["IndexName"]] if "IndexName" in asked else Index("pk", "sk", None)
        names, values = asked.get("ExpressionAttributeNames"), asked.get("ExpressionAttributeValues")
        rows = [
            row
            for row in self._rows(index, "IndexName" in asked, consistent=asked.get("ConsistentRead", False))
            if holds(asked["KeyConditionExpression"], row, names, values)
        ]
        forward, start = asked.get("ScanIndexForward", True), asked.get("ExclusiveStartKey")
        rows.sort(key=lambda row: order(index, row), reverse=not forward)
        if start is not None:
            begin = order(index, start)
            rows = [row for row in rows if (order(index, row) > begin if forward else order(index, row) < begin)]
        # Real pages end at 1 MB, so a count of keys within a limit is always in one.
        is_count = asked.get("Select") == "COUNT"
        page = rows[: min(asked.get("Limit", 1000), 1000 if is_count else self._calls.weather.page)]
        kept = [row for row in page if holds(asked.get("FilterExpression"), row, names, values)]
        answer: dict[str, Any] = {"Count": len(kept), "ScannedCount": len(page)}
        if not is_count:
            answer["Items"] = [_asked_for(asked, row) for row in kept]
        if page and (len(page) < len(rows) or len(page) == asked.get("Limit")):
            sorted_by = {"pk", "sk", index.partition, index.sort}
            answer["LastEvaluatedKey"] = {name: value for name, value in page[-1].items() if name in sorted_by}
        return answer

    def _rows(self, index: Index, is_index: bool, *, consistent: bool) -> Iterator[Item]:
        now = self._scheduler.now
        at = now if is_index or consistent else now - self._calls.weather.lag * self._rng.random()
        for versions in self._versions.values():
            moments = [version.seen_at if is_index else version.written_at for version in versions]
            place = bisect_right(moments, at)
            item = versions[place - 1].item if place else None
            if item is None or index.partition not in item or (index.sort is not None and index.sort not in item):
                continue
            keep = index.attributes
            yield item if keep is None else {name: value for name, value in item.items() if name in keep}


class Tables:
    """All tables by their names."""

    def __init__(self, **tables: Table) -> None:
        self._tables = tables

    def handle(self, operation: str, content: Any) -> dict[str, Any]:
        """Have the table answer that a request is for, or raise ServiceError."""
        asked = content["TransactItems"][0]["Update"] if "TransactItems" in content else content
        name = next(iter(asked["RequestItems"])) if "RequestItems" in asked else asked.get("TableName", TABLE)
        return self._tables[name].handle(operation, content)


def _named(asked: Any) -> set[str]:
    """Return the attributes that an update names."""
    names = asked.get("ExpressionAttributeNames", {})
    words = asked["UpdateExpression"].replace(",", " ").replace("(", " ").replace(")", " ").split()
    return {names.get(word, word) for word in words}


def _asked_for(asked: Any, item: Item) -> Item:
    return projected(asked.get("ProjectionExpression"), item, asked.get("ExpressionAttributeNames"))
