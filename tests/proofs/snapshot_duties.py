"""Snapshots on a laptop stack: predicted by their function, and by batches, of which one fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from matchcast.adapters.batch_items import batch_key
from matchcast.adapters.s3_objects import S3Objects
from matchcast.batches.ports import Request
from matchcast.domain.batch import SNAPSHOTS_TENANT, BatchStatus
from matchcast.domain.task import TaskError
from matchcast.errors import MatchcastError
from matchcast_tools.stack.deployed import Stack
from matchcast_tools.stack.invoke_refresh import invoke_refresh
from tests.proofs.conditions import Conditions


class SnapshotDuties:
    """What operators ask of snapshots; `demand` notes what is wrong."""

    def __init__(self, stack: Stack, conditions: Conditions, demand: Callable[[bool, str], None]) -> None:
        self._stack, self._conditions, self._demand = stack, conditions, demand
        self._dynamodb, self._table = stack.client("dynamodb"), stack.output("TasksTableName")
        self._objects = S3Objects(stack.client("s3"), stack.output("DataBucketName"))

    def refresh(self) -> None:
        """Demand a snapshot."""
        try:
            invoke_refresh(self._stack)
        except MatchcastError as error:
            self._demand(False, f"no snapshot is made ({error})")

    def refresh_by_batches(self) -> None:
        """Demand a snapshot that is predicted by a batch, and one whose batch fails at first."""
        self._forget_batches()
        with self._conditions.setting("RefreshSnapshotFunctionName", "SNAPSHOT_PREDICTIONS_AT_ONCE", "0"):
            self.refresh()
            self._fail_batches()
            try:
                invoke_refresh(self._stack)
            except MatchcastError as error:
                self._demand(
                    "What failed runs again" in str(error), f"a batch that failed does not run again ({error})"
                )
            else:
                self._demand(False, "a snapshot is made of a batch that failed")
            self.refresh()

    def _batches(self) -> Iterator[tuple[str, Request]]:
        """Yield the requests of snapshots that are not forgotten, by their keys."""
        for item in self._objects.list_objects("batches/"):
            if item.key.endswith("/request.json") and (stored := self._objects.get(item.key)):
                request = Request.model_validate_json(stored.body)
                if request.batch.tenant == SNAPSHOTS_TENANT and request.batch.is_readable_at(datetime.now(UTC)):
                    yield item.key, request

    def _forget_batches(self) -> None:
        """Let the life of earlier batches be over, so that the next snapshot makes one of its own."""
        for key, request in self._batches():
            over = request.batch.model_copy(update={"expires_at": datetime.now(UTC)})
            self._objects.put(key, request.model_copy(update={"batch": over}).model_dump_json().encode())
            self._dynamodb.delete_item(TableName=self._table, Key=batch_key(over.batch_id))

    def _fail_batches(self) -> None:
        """Have the batch of the latest snapshot failed, as the sweep of dead letters does."""
        error = TaskError(code="dead-lettered", detail="By hand.")
        for _, request in self._batches():
            self._dynamodb.update_item(
                TableName=self._table,
                Key=batch_key(request.batch.batch_id),
                UpdateExpression="SET #status = :failed, #error = :error",
                ExpressionAttributeNames={"#status": "status", "#error": "error"},
                ExpressionAttributeValues={
                    ":failed": {"S": BatchStatus.FAILED},
                    ":error": {"S": json.dumps(error.model_dump(mode="json"))},
                },
            )
