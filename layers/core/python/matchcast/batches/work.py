"""What a message of the queue of batches asks for."""

from __future__ import annotations

from matchcast.batch_messages import BatchMessage, JoinBatch, LosePart, SplitBatch
from matchcast.batches.join import JoinBatches
from matchcast.batches.lose import LoseParts
from matchcast.batches.split import SplitBatches


class BatchWork:
    """Does what messages ask for, one at a time; a message is deleted only where it raises nothing."""

    def __init__(self, split: SplitBatches, join: JoinBatches, lose: LoseParts) -> None:
        self._split = split
        self._join = join
        self._lose = lose

    def do(self, message: BatchMessage) -> None:
        """Do what a message asks for, if it is still to be done.

        Raises
        ------
        MatchcastError
            If it could not be done; the message comes again.
        """
        match message:
            case SplitBatch():
                self._split.split(message)
            case JoinBatch():
                self._join.join(message)
            case LosePart():
                self._lose.lose(message)
