"""Conditional writes to DynamoDB that know their own work again.

The SDK sends a write again whose answer got lost, and the second one is then refused because of the first. So a write
leaves a mark of its own: one that is refused, and finds its mark, has won.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from matchcast.adapters.aws_errors import error_code, unavailable_as
from matchcast.adapters.backoff import Backoff
from matchcast.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]

_REFUSED = "ConditionalCheckFailed"
_BUSY = ("ProvisionedThroughputExceeded", "Throttling", "TransactionConflict", "TransactionInProgress")
"""How the answers begin of a table that is busy, or whose item another transaction is just writing."""


class MarkedWrites:
    """Writes to one table, and the reads of single items that belong to them; `name` is the table's in messages."""

    def __init__(self, client: DynamoDBClient, table: str, name: str, backoff: Callable[[], Backoff] = Backoff) -> None:
        self._client = client
        self._table = table
        self._name = name
        self._backoff = backoff

    def item(self, key: Item) -> Item | None:
        """Return an item, read consistently."""
        with unavailable_as(StorageUnavailable, self._name):
            return self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")

    def has_mark(self, key: Item, mark: str) -> bool:
        """Return whether the last write to an item was the one with this mark."""
        item = self.item(key)
        return item is not None and item.get("mark", {}).get("S") == mark

    def put(self, item: Item) -> bool:
        """Put a new item; False if there is one with its key."""
        mark, key = uuid.uuid4().hex, {name: item[name] for name in ("pk", "sk")}
        won = self.write(
            self._client.put_item,
            TableName=self._table,
            Item={**item, "mark": {"S": mark}},
            ConditionExpression="attribute_not_exists(pk)",
        )
        return won or self.has_mark(key, mark)

    def change(
        self, key: Item, assignments: str, *, condition: str, values: Mapping[str, Item], names: Mapping[str, str]
    ) -> bool:
        """Update an item; `assignments` go behind `SET`. False if the condition does not hold."""
        mark = uuid.uuid4().hex
        won = self.write(
            self._client.update_item,
            TableName=self._table,
            Key=key,
            UpdateExpression=f"SET mark = :mark, {assignments}",
            ConditionExpression=condition,
            ExpressionAttributeNames={**names},
            ExpressionAttributeValues={**values, ":mark": {"S": mark}},
        )
        return won or self.has_mark(key, mark)

    def write(self, operation: Any, **request: Any) -> bool:
        """Make a conditional write; False if its condition does not hold."""
        with unavailable_as(StorageUnavailable, self._name):
            try:
                self.asked(operation, **request)
            except ClientError as error:
                if any(code.startswith(_REFUSED) for code in _reasons(error)):
                    return False
                raise
        return True

    def asked(self, operation: Any, **request: Any) -> Item:
        """Return the answer to a write, which is tried again for some seconds while its items are being written."""
        backoff = self._backoff()
        while True:
            try:
                answer: Item = operation(**request)
            except ClientError as error:
                if not (_is_busy(error) and backoff.wait()):
                    raise
            else:
                return answer


def _is_busy(error: ClientError) -> bool:
    reasons = _reasons(error)
    return bool(reasons) and all(code.startswith(_BUSY) for code in reasons)


def _reasons(error: ClientError) -> list[str]:
    """Return why a write was not made; a transaction says it of each of its writes, `None` of those that could be."""
    reasons = error.response.get("CancellationReasons")
    if not reasons:
        return [error_code(error)]
    return [code for code in (str(reason.get("Code", "None")) for reason in reasons) if code != "None"]
