"""Dead letters of batches: lost parts end with errors, and a batch whose own message was given up fails.

The letters are left for operators. A batch that failed so goes on where it was when it is retried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from matchcast.batch_messages import BatchMessage, LosePart, RunPart, decode_batch_message, decode_part
from matchcast.batches.ports import BatchQueue, BatchStore
from matchcast.domain.batch import Batch, BatchStatus
from matchcast.domain.task import Priority, TaskError
from matchcast.errors import InvalidMessage
from matchcast.ports import DeadLetter, DeadLetters
from matchcast.tasks.sweep import Swept, sweep_letters

DEAD_LETTERED = TaskError(
    code="dead-lettered",
    detail="The batch was started several times and never came to an end. Its operators can see why; retry it.",
)


class LostParts:
    """Has the parts of letters ended."""

    def __init__(self, batches: BatchStore, queue: BatchQueue) -> None:
        self._batches = batches
        self._queue = queue

    def lose(self, letters: Sequence[DeadLetter]) -> int:
        """Send a message for each part that has not ended; return how many there are."""
        parts = [part for letter in letters if (part := _part_in(letter)) is not None]
        records = self._batches.get_many(list({part.batch_id for part in parts}))
        waiting = [part for part in parts if self._is_waited_for(records.get(part.batch_id), part)]
        for part in waiting:
            self._queue.send(
                LosePart(
                    batch_id=part.batch_id,
                    tenant=part.tenant,
                    generation=part.generation,
                    position=part.position,
                    number=part.number,
                )
            )
        return len(waiting)

    def _is_waited_for(self, batch: Batch | None, part: RunPart) -> bool:
        if batch is None or batch.status is not BatchStatus.RUNNING or batch.generation != part.generation:
            return False
        ended = self._batches.part(part.batch_id, part.number)
        return ended is None or ended.generation < part.generation


class SweepBatchLetters:
    """Fails the batches of letters of the queue of batches, which `letters` has as its normal lane."""

    def __init__(self, letters: DeadLetters, batches: BatchStore, now: Callable[[], datetime]) -> None:
        self._letters = letters
        self._batches = batches
        self._now = now

    def sweep(self, has_time: Callable[[], bool] = lambda: True) -> Swept:
        """Look at every dead letter once, as long as there is time, and make all visible again."""
        return sweep_letters(self._letters, [Priority.NORMAL], self._fail_all, has_time)

    def _fail_all(self, letters: Sequence[DeadLetter]) -> int:
        messages = [message for letter in letters if (message := _message_in(letter)) is not None]
        records = self._batches.get_many(list({message.batch_id for message in messages}))
        return sum(self._fail(records.get(message.batch_id), message) for message in messages)

    def _fail(self, batch: Batch | None, message: BatchMessage) -> bool:
        """Fail a batch unless it has ended, or is in a later generation; return whether it had not."""
        if batch is None or batch.status.is_final or batch.generation != message.generation:
            return False
        failed = {"status": BatchStatus.FAILED, "error": DEAD_LETTERED, "completed_at": self._now()}
        return self._batches.change(batch.model_copy(update=failed), [batch.status])


def _part_in(letter: DeadLetter) -> RunPart | None:
    try:
        return decode_part(letter.body)
    except InvalidMessage:
        return None


def _message_in(letter: DeadLetter) -> BatchMessage | None:
    try:
        return decode_batch_message(letter.body)
    except InvalidMessage:
        return None
