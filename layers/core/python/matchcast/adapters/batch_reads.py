"""Reads of many items at once, asked again for what DynamoDB left out because it was busy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from matchcast.adapters.aws_errors import unavailable_as
from matchcast.adapters.backoff import Backoff
from matchcast.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEYS_A_READ = 100

Item = dict[str, Any]


class BatchReads:
    """Reads items of one table by their keys."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep
        self._monotonic = monotonic

    def items(self, keys: Sequence[Item]) -> Iterator[Item]:
        """Yield the items that exist, read consistently, in any order.

        Raises
        ------
        StorageUnavailable
            If the table does not answer, or is still too busy to answer in full after five seconds.
        """
        backoff = Backoff(self._sleep, self._monotonic)
        for start in range(0, len(keys), KEYS_A_READ):
            rest: Any = {self._table: {"Keys": keys[start : start + KEYS_A_READ], "ConsistentRead": True}}
            while rest:
                with unavailable_as(StorageUnavailable, f"The tasks table {self._table}"):
                    answer = self._client.batch_get_item(RequestItems=rest)
                yield from answer["Responses"].get(self._table, [])
                rest = answer.get("UnprocessedKeys")
                if rest and not backoff.wait():
                    raise StorageUnavailable(f"The tasks table {self._table} is too busy to be read.")
