"""Transactions of the simulated table: all their writes or none, and no other write of their items meanwhile."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from tests.faults.expressions import Item, Unmodelled, holds, updated
from tests.faults.scheduler import Scheduler

if TYPE_CHECKING:
    from tests.faults.dynamodb import Table

Key = tuple[str, str]
TOKEN_SECONDS = 600.0
"""How long the service knows what it has done under a token."""
_LONGEST_SECONDS = 0.1


class ServiceError(Exception):
    """An error that the service answers with."""

    def __init__(self, code: str, message: str = "", status: int = 400, **details: Any) -> None:
        super().__init__(code)
        self.details = details
        self.code = code
        self.message = message
        self.status = status


def key_of(item: Any) -> Key:
    """Return the key of an item."""
    return item["pk"]["S"], item["sk"]["S"]


class Transactions:
    """Answers TransactWriteItems, of updates alone."""

    def __init__(self, table: Table, scheduler: Scheduler, rng: random.Random) -> None:
        self._table = table
        self._scheduler = scheduler
        self._rng = rng
        self._done: dict[str, tuple[float, str]] = {}

    def handle(self, asked: Any) -> dict[str, Any]:
        """Make all writes, or none of them.

        Raises
        ------
        ServiceError
            With the reason of each write, in order, if one of them cannot be made.
        """
        if any(set(each) != {"Update"} for each in asked["TransactItems"]):
            raise Unmodelled("a transaction of other writes than updates")
        now, token, content = self._scheduler.now, asked.get("ClientRequestToken"), json.dumps(asked, sort_keys=True)
        done_at, known = self._done.get(token, (-TOKEN_SECONDS, ""))
        if now < done_at + TOKEN_SECONDS:
            if known != content:
                raise ServiceError("IdempotentParameterMismatchException", "The token was used with other writes")
            return {}
        writes = [each["Update"] for each in asked["TransactItems"]]
        keys = [key_of(write["Key"]) for write in writes]
        if len(set(keys)) < len(keys):
            raise ServiceError("ValidationException", "Transaction request has several operations on one item")
        reasons = [self._reason(write) for write in writes]
        if any(reasons):
            codes = [reason or "None" for reason in reasons]
            text = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{', '.join(codes)}]"
            raise ServiceError(
                "TransactionCanceledException", text, CancellationReasons=[_described(code) for code in codes]
            )
        until = now + self._rng.random() * _LONGEST_SECONDS
        for key in keys:
            self._table.busy_until[key] = until
        after = [after_update(write, self._table.now_of(key)) for key, write in zip(keys, writes, strict=True)]
        self._table.write(*zip(keys, after, strict=True))
        if token is not None:
            self._done[token] = now, content
        return {}

    def _reason(self, write: Any) -> str | None:
        key = key_of(write["Key"])
        if self._table.is_busy(key):
            return "TransactionConflict"
        names, values = write.get("ExpressionAttributeNames"), write.get("ExpressionAttributeValues")
        is_met = holds(write.get("ConditionExpression"), self._table.now_of(key), names, values)
        return None if is_met else "ConditionalCheckFailed"


def after_update(asked: Any, before: Item | None) -> Item:
    """Return an item after an update of it."""
    names, values = asked.get("ExpressionAttributeNames"), asked.get("ExpressionAttributeValues")
    return updated(asked["UpdateExpression"], before or asked["Key"], names, values)


def _described(code: str) -> dict[str, str]:
    messages = {
        "ConditionalCheckFailed": "The conditional request failed",
        "TransactionConflict": "Transaction is ongoing for the item",
    }
    return {"Code": code} if code == "None" else {"Code": code, "Message": messages[code]}
