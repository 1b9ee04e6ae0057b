"""Dead letters of batches: lost parts end with errors, and a batch whose own message was given up fails.

The letters are left for operators. A batch that failed so goes on where it was when it is retried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from matchcast.batch_messages import QUEUE, BatchName, LosePart, RunPart, decode_part, named_batch
from matchcast.batches.fail import FailBatches
from matchcast.batches.ports import BatchQueue, BatchStore
from matchcast.domain.batch import Batch, BatchStatus
from matchcast.domain.task import TaskError
from matchcast.errors import InvalidMessage
from matchcast.ports import DeadLetter, DeadLetters
from matchcast.tasks.sweep import Swept, sweep_letters

DEAD_LETTERED = TaskError(
    code="dead-lettered",
    detail="The batch was started several times and never came to an end. Its operators can see why; retry it.",
)


class LostParts:
    """Has the parts of letters ended."""

    def __init__(self, batches: BatchStore, queue: BatchQueue, now: Callable[[], datetime]) -> None:
        self._batches = batches
        self._queue = queue
        self._fail = FailBatches(batches, now)

    def lose(self, letters: Sequence[DeadLetter]) -> int:
        """Send a message for each part that has not ended; return how many there are.

        Of a letter that cannot be read, nobody knows which part it is, and its batch fails.
        """
        named = [name for letter in letters if (name := _part_in(letter)) is not None]
        records = self._batches.get_many(list({each.batch_id for each in named}))
        return sum(self._lose(each, records.get(each.batch_id)) for each in named)

    def _lose(self, named: RunPart | BatchName, batch: Batch | None) -> bool:
        if not is_open(batch, named):
            return False
        if not isinstance(named, RunPart):
            return self._fail.fail(named, DEAD_LETTERED)
        if not is_waited_for(self._batches, batch, named):
            return False
        self._queue.send(
            LosePart(
                batch_id=named.batch_id,
                tenant=named.tenant,
                generation=named.generation,
                position=named.position,
                number=named.number,
            )
        )
        return True


class SweepBatchLetters:
    """Fails the batches of letters of the queue of batches."""

    def __init__(self, letters: DeadLetters, batches: BatchStore, now: Callable[[], datetime]) -> None:
        self._letters = letters
        self._batches = batches
        self._fail = FailBatches(batches, now)

    def sweep(self, has_time: Callable[[], bool] = lambda: True) -> Swept:
        """Look at every dead letter once, as long as there is time, and make all visible again."""
        return sweep_letters(self._letters, [QUEUE], self._fail_all, has_time)

    def _fail_all(self, letters: Sequence[DeadLetter]) -> int:
        named = [name for letter in letters if (name := named_batch(letter.body)) is not None]
        records = self._batches.get_many(list({each.batch_id for each in named}))
        return sum(self._fail.fail(each, DEAD_LETTERED) for each in named if is_open(records.get(each.batch_id), each))


def is_open(batch: Batch | None, named: BatchName) -> bool:
    """Return whether a batch has not ended, and is in the generation of a message."""
    return batch is not None and not batch.status.is_final and batch.generation == named.generation


def is_waited_for(batches: BatchStore, batch: Batch | None, part: RunPart) -> bool:
    """Return whether a batch runs in the generation of a part and still needs its message.

    It does as long as the part has not ended in it. The worker of the last one may have died before it had the batch
    joined.
    """
    if batch is None or batch.status is not BatchStatus.RUNNING or batch.generation != part.generation:
        return False
    ended = batches.part(part.batch_id, part.number)
    return ended is None or ended.generation < part.generation or batch.all_parts_done


def _part_in(letter: DeadLetter) -> RunPart | BatchName | None:
    try:
        return decode_part(letter.body)
    except InvalidMessage:
        return named_batch(letter.body)
