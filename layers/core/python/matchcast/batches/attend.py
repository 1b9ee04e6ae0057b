"""The worker of the queue of batches: does what a message asks for, and sees what becomes of the message.

A fault that may pass brings the message again, later each time. While storage or a queue is out of reach that goes on
for as long as the batch lives. Any other fault is given up in the end: the message is buried with its cause, and its
batch fails.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from matchcast.batch_messages import BatchName, decode_batch_message, named_batch
from matchcast.batches.fail import FailBatches
from matchcast.batches.ports import BatchQueue, BatchStore
from matchcast.batches.work import BatchWork
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
        self._fail = FailBatches(batches, now)
        self._queue = queue
        self._messages = KeepMessages(lanes)

    def attend(self, received: Received) -> Outcome:
        """Return what became of a message."""
        try:
            message = decode_batch_message(received.body)
        except InvalidMessage as error:
            return self._give_up(received, named_batch(received.body), error)
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

    def _give_up(self, received: Received, named: BatchName | None, problem: MatchcastError) -> Outcome:
        """Bury the message, then fail the batch: a crash in between repeats the burial, and loses nothing."""
        buried = self._messages.bury(received, problem, None if named is None else named.batch_id)
        if named is None or not buried.done:
            return buried
        try:
            with faults_named():
                self._fail.fail(named, task_error(problem))
        except Transient as error:  # it comes again; where it came too often, the sweep fails the batch
            return self._messages.delay(received, error, failures=received.receive_count, factor=2)
        except MatchcastError:  # a record that the table refuses: the letter is all that can be kept
            return buried
        return buried
