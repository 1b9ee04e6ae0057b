"""Run the failed and cancelled rows of a batch that has ended again."""

from __future__ import annotations

from matchcast.batch_messages import SplitBatch
from matchcast.batches.ports import BatchQueue, BatchStore
from matchcast.domain.batch import Batch, BatchStatus
from matchcast.errors import Conflict, InputRefused

SAFETY_SECONDS = 30
"""The delay of the message that does the work of one that is never sent: longer than an answer can take."""


def run_again(batches: BatchStore, queue: BatchQueue, batch: Batch, generation: int) -> Batch | None:
    """Have a batch run in another generation, and return it; None if its record is not what it was any more."""
    split = SplitBatch(batch_id=batch.batch_id, tenant=batch.tenant, generation=generation)
    queued = batch.model_copy(
        update={
            "status": BatchStatus.QUEUED,
            "generation": generation,
            "error": None,
            "started_at": None,
            "completed_at": None,
        }
    )
    queue.send(split, SAFETY_SECONDS)
    if not batches.change(queued, [batch.status], batch.generation):
        return None
    queue.send(split)
    return queued


def check_retriable(batch: Batch) -> None:
    """Raise Conflict unless some rows of a batch can be run again."""
    if not batch.status.is_final:
        raise Conflict(f"The batch {batch.batch_id} is {batch.status}; only one that has ended can be retried.")
    if batch.status is BatchStatus.FAILED:
        if batch.error is not None and batch.error.code == InputRefused.code:
            raise Conflict(f"The batch {batch.batch_id} has an input that cannot be read. Mend the file and submit it.")
        return
    if batch.total is not None and batch.failed + batch.cancelled <= batch.invalid:
        raise Conflict(f"The batch {batch.batch_id} has no rows to run again: those in its errors are wrong as sent.")
