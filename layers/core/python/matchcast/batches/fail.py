"""Fail a batch as a whole: what it still needs is gone, or nobody will do what its message asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from matchcast.batch_messages import BatchName
from matchcast.batches.ports import BatchStore
from matchcast.domain.batch import BatchStatus
from matchcast.domain.task import TaskError


class FailBatches:
    """Ends batches with an error; a retry goes on where they were."""

    def __init__(self, batches: BatchStore, now: Callable[[], datetime]) -> None:
        self._batches = batches
        self._now = now

    def fail(self, named: BatchName, error: TaskError) -> bool:
        """Fail a batch; return whether this call did. One that has ended, or is in another generation, is left."""
        while True:
            batch = self._batches.get_many([named.batch_id]).get(named.batch_id)
            if batch is None or batch.status.is_final or batch.generation != named.generation:
                return False
            failed = {"status": BatchStatus.FAILED, "error": error, "completed_at": self._now()}
            if self._batches.change(batch.model_copy(update=failed), [batch.status]):
                return True
