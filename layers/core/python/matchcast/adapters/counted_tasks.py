"""The tasks table of functions that end tasks one at a time: every final state is counted once, by whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.domain.task import Task

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class CountedTasks(DynamoDBTasks):
    """A `TaskStore` that calls `ended` with each task whose final state it wrote; a write that lost is not counted."""

    def __init__(self, client: DynamoDBClient, table: str, shards: int, ended: Callable[[Task], object]) -> None:
        super().__init__(client, table, shards)
        self._ended = ended

    def finish(self, task: Task) -> bool:
        """Write a final state if the record is missing, or queued in the same generation; False if it lost."""
        won = super().finish(task)
        if won:
            self._ended(task)
        return won
