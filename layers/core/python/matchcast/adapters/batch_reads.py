"""Reads of many items at once, asked again for what DynamoDB left out because it was busy."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from matchcast.adapters.aws_errors import unavailable_as
from matchcast.errors import StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEYS_A_READ = 100
PATIENCE_SECONDS = 5.0
"""How long one read of many items waits in all: every function has more time than this."""
_FIRST_SECONDS = 0.05
_LONGEST_SECONDS = 1.0

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
        give_up = self._monotonic() + PATIENCE_SECONDS
        for start in range(0, len(keys), KEYS_A_READ):
            rest: Any = {self._table: {"Keys": keys[start : start + KEYS_A_READ], "ConsistentRead": True}}
            longest = _FIRST_SECONDS
            while rest:
                with unavailable_as(StorageUnavailable, f"The tasks table {self._table}"):
                    answer = self._client.batch_get_item(RequestItems=rest)
                yield from answer["Responses"].get(self._table, [])
                rest = answer.get("UnprocessedKeys")
                if rest:
                    # Full jitter: readers that were refused together do not come back together.
                    self._wait(random.uniform(0, longest), give_up)  # noqa: S311 - no secret
                    longest = min(2 * longest, _LONGEST_SECONDS)

    def _wait(self, seconds: float, give_up: float) -> None:
        if self._monotonic() + seconds >= give_up:
            raise StorageUnavailable(f"The tasks table {self._table} is too busy to be read.")
        self._sleep(seconds)
