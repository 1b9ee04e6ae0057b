"""Dead letters of batches: sent again by a redrive, or discarded.

Every message of a batch may come twice, late, or after its work was done: the records say what is still to do. So a
redrive only sends a message again that still has something to do, and then deletes its letter. A crash in between
leaves the letter, and a second redrive does no harm.

What has failed already is never run again by a redrive: its rows are in the files that the client reads. They run again
where the client asks for that (`retry-failed`), and until then the letter is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from matchcast.batch_messages import BatchMessage, RunPart, decode_batch_message, decode_part, is_part
from matchcast.batches.fail import FailBatches
from matchcast.batches.ports import BatchQueue, BatchStore
from matchcast.batches.retry import check_retriable
from matchcast.batches.sweep import DEAD_LETTERED, LostParts, is_open, is_waited_for
from matchcast.domain.batch import Batch
from matchcast.errors import Conflict, InvalidMessage
from matchcast.ports import DeadLetter, DeadLetters
from matchcast.tasks.dead_letters import Discard, Redrive


def batch_message_in(letter: DeadLetter) -> BatchMessage | RunPart | None:
    """Return the message of a batch that a letter carries; None for any other, and for one that cannot be read."""
    try:
        return decode_part(letter.body) if is_part(letter.body) else decode_batch_message(letter.body)
    except InvalidMessage:
        return None


class _LettersAndBatches:
    """Dead letters, and the records of their batches."""

    def __init__(
        self, *, letters: DeadLetters, batches: BatchStore, queue: BatchQueue, now: Callable[[], datetime]
    ) -> None:
        self._letters = letters
        self._batches = batches
        self._queue = queue
        self._now = now

    def _read(self, letters: Sequence[DeadLetter]) -> list[tuple[BatchMessage | RunPart | None, Batch | None]]:
        """Return the message of each letter and the record of its batch, where there are any."""
        messages = [batch_message_in(letter) for letter in letters]
        records = self._batches.get_many(list({message.batch_id for message in messages if message is not None}))
        return [(message, None if message is None else records.get(message.batch_id)) for message in messages]


class RedriveBatchLetters(_LettersAndBatches):
    """Sends the messages of letters again, where they still have something to do."""

    def plans(self, letters: Sequence[DeadLetter]) -> list[tuple[Redrive, BatchMessage | RunPart | None]]:
        """Return what redriving each letter would do, and the message that would be sent, with one read of batches.

        `MOVED_ON`: the work was done, or the batch has expired, was cancelled, or is in a later generation.
        `NEEDS_RETRY`: the batch or the part has failed.
        `NO_TASK`: the letter cannot be read, or its batch is unknown.
        """
        return [self._plan(*read) for read in self._read(letters)]

    def _plan(
        self, message: BatchMessage | RunPart | None, batch: Batch | None
    ) -> tuple[Redrive, BatchMessage | RunPart | None]:
        if message is None or batch is None:
            return Redrive.NO_TASK, None
        if batch.generation != message.generation or not batch.is_readable_at(self._now()):
            return Redrive.MOVED_ON, None
        if isinstance(message, RunPart):
            if is_waited_for(self._batches, batch, message):
                return Redrive.REDRIVEN, message
            ended = self._batches.part(message.batch_id, message.number)
            has_failed = ended is not None and ended.generation == message.generation and ended.retriable > 0
        elif is_open(batch, message):
            return Redrive.REDRIVEN, message
        else:
            has_failed = False
        return (Redrive.NEEDS_RETRY if has_failed or _failed(batch) else Redrive.MOVED_ON), None

    def redrive(self, letter: DeadLetter) -> Redrive:
        """Redrive a letter, and delete it unless it has no batch, or waits for its client."""
        ((outcome, message),) = self.plans([letter])
        if isinstance(message, RunPart):
            self._queue.send_parts([message])
        elif message is not None:
            self._queue.send(message)
        if outcome in (Redrive.REDRIVEN, Redrive.MOVED_ON):
            self._letters.delete(letter)
        return outcome


class DiscardBatchLetters(_LettersAndBatches):
    """Deletes letters for good; what still depends on one ends first, as if it had been swept."""

    def plans(self, letters: Sequence[DeadLetter]) -> list[tuple[Discard, Batch | None]]:
        """Return what discarding each letter would do, and the batch that it is a letter of, with one read of batches.

        `PART_LOST`: the rows of the part get an error. `BATCH_FAILED`: the batch fails.
        """
        return [(self._outcome(message, batch), batch) for message, batch in self._read(letters)]

    def _outcome(self, message: BatchMessage | RunPart | None, batch: Batch | None) -> Discard:
        if isinstance(message, RunPart):
            return Discard.PART_LOST if is_waited_for(self._batches, batch, message) else Discard.DISCARDED
        return Discard.BATCH_FAILED if message is not None and is_open(batch, message) else Discard.DISCARDED

    def discard(self, letter: DeadLetter) -> Discard:
        """End what still depends on a letter, then delete it."""
        message, ended = batch_message_in(letter), Discard.DISCARDED
        if isinstance(message, RunPart):
            if LostParts(self._batches, self._queue, self._now).lose([letter]):
                ended = Discard.PART_LOST
        elif message is not None and FailBatches(self._batches, self._now).fail(message, DEAD_LETTERED):
            ended = Discard.BATCH_FAILED
        self._letters.delete(letter)
        return ended


def _failed(batch: Batch) -> bool:
    """Return whether a batch has failed as a whole, and its client can have it run again."""
    try:
        check_retriable(batch)
    except Conflict:
        return False
    return batch.error is not None
