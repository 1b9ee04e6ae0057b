"""The worker of the queue of batches: does what a message asks for, and sees what becomes of the message.

A fault that may pass brings the message again, later each time. While storage or a queue is out of reach that goes on
for as long as the batch lives. Any other fault is given up in the end: the message is buried with its cause, and its
batch fails.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from matchcast.batch_messages import BatchMessage, decode_batch_message
from matchcast.batches.ports import BatchQueue, BatchStore
from matchcast.batches.work import BatchWork
from matchcast.domain.batch import BatchStatus
from matchcast.errors import InvalidMessage, MatchcastError, QueueUnavailable, StorageUnavailable, Transient
from matchcast.ports import PredictionQueue, Received
from matchcast.tasks.isolation import faults_named
from matchcast.tasks.settle import RENEW_AFTER_RECEIVES, KeepMessages, Outcome, task_error


class AttendBatches:
    """Takes messages of the queue of batches, which `lanes` has as its normal lane."""

    def __init__(
        self,
        *,
        work: BatchWork,
        batches: BatchStore,
        queue: BatchQueue,
        lanes: PredictionQueue,
        now: Callable[[], datetime],
    ) -> None:
        self._work = work
        self._batches = batches
        self._queue = queue
        self._messages = KeepMessages(lanes)
        self._now = now

    def attend(self, received: Received) -> Outcome:
        """Return what became of a message."""
        try:
            message = decode_batch_message(received.body)
        except InvalidMessage as error:
            return self._messages.bury(received, error)
        try:
            with faults_named():
                self._work.do(message)
        except Transient as problem:
            out_of_reach = isinstance(problem, (QueueUnavailable, StorageUnavailable))
            if out_of_reach or received.receive_count < RENEW_AFTER_RECEIVES:
                return self._messages.keep(received, problem, lambda seconds: self._queue.send(message, seconds))
            return self._give_up(received, message, problem)
        except MatchcastError as problem:
            return self._give_up(received, message, problem)
        return Outcome(received.message_id, done=True)

    def _give_up(self, received: Received, message: BatchMessage, problem: MatchcastError) -> Outcome:
        """Bury the message, then fail the batch: a crash in between repeats the burial, and loses nothing."""
        buried = self._messages.bury(received, problem, message.batch_id)
        if not buried.done:
            return buried
        try:
            with faults_named():
                self._fail(message, problem)
        except Transient as error:
            return self._messages.keep(received, error, lambda seconds: self._queue.send(message, seconds))
        except MatchcastError:  # a record that the table refuses: the letter is all that can be kept
            return buried
        return buried

    def _fail(self, message: BatchMessage, problem: MatchcastError) -> None:
        """Fail the batch unless it has ended, or is in a later generation."""
        while True:
            batch = self._batches.get_many([message.batch_id]).get(message.batch_id)
            if batch is None or batch.status.is_final or batch.generation != message.generation:
                return
            failed = {"status": BatchStatus.FAILED, "error": task_error(problem), "completed_at": self._now()}
            if self._batches.change(batch.model_copy(update=failed), [batch.status]):
                return
