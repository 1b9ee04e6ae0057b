"""What becomes of one message: its task's final state is written, it is buried with its cause, or it comes again.

A message is deleted only after its task's final state is in the table, after the message itself is safe among the
dead letters, or after a copy of it is in the queue.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from matchcast.domain.prediction import Prediction
from matchcast.domain.task import Task, TaskError, TaskStatus
from matchcast.errors import MatchcastError, Transient
from matchcast.ports import PredictionQueue, Received, TaskStore
from matchcast.predictions.predictor import Answer
from matchcast.tasks.isolation import faults_named

FIRST_RETRY_SECONDS = 10
LONGEST_RETRY_SECONDS = 900
MOST_FIELD_ERRORS = 50
"""A record has room for so many; a client that has mended these is told of others, if there are any."""
RENEW_AFTER_RECEIVES = 10
"""A message that the service could not serve so often is replaced by a copy: its receives say nothing of its task,
and the queue would dead-letter it after twice as many. Its task ends by its lifetime, however long an outage lasts."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery whose body could be read."""

    received: Received
    task: Task


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message: `done` ones are deleted, the others come again.

    `task` is set if this run ended it; `problem` is what kept the message from its plain end.
    """

    message_id: str
    done: bool
    task: Task | None = None
    problem: MatchcastError | None = None


class KeepMessages:
    """Has messages come again later, or buries them: those of tasks and of parts alike."""

    def __init__(self, lanes: PredictionQueue) -> None:
        self._lanes = lanes

    def bury(self, received: Received, problem: MatchcastError, task_id: str | None = None) -> Outcome:
        """Send a message to the dead letters with its cause; where they refuse it, the queue does so in the end."""
        try:
            with faults_named():
                self._lanes.bury(received.lane, received.body, problem.code, task_id)
        except MatchcastError:
            return Outcome(received.message_id, done=False, problem=problem)
        return Outcome(received.message_id, done=True, problem=problem)

    def keep(
        self,
        received: Received,
        problem: MatchcastError | None,
        renew: Callable[[int], object],
        seconds: int | None = None,
    ) -> Outcome:
        """Keep a message for later, for some seconds or for longer each time it comes.

        One that came too often is sent anew by `renew`, which is given the delay in seconds.
        """
        if received.receive_count >= RENEW_AFTER_RECEIVES:
            with suppress(MatchcastError), faults_named():
                renew(LONGEST_RETRY_SECONDS if seconds is None else seconds)
                return Outcome(received.message_id, done=True, problem=problem)
        if seconds is not None:
            return self.again(received, problem, seconds)
        return self.delay(received, problem, failures=received.receive_count, factor=2)

    def delay(self, received: Received, problem: MatchcastError | None, *, failures: int, factor: int) -> Outcome:
        """Delay the next delivery: 10 s, then longer, with jitter so that a burst does not come back as one."""
        seconds = FIRST_RETRY_SECONDS * factor ** min(failures - 1, 10)
        if failures > 1:
            # The longest delay keeps its jitter, below the limit.
            seconds = int(min(seconds, LONGEST_RETRY_SECONDS / 1.5) * random.uniform(1, 1.5))  # noqa: S311 - no secret
        return self.again(received, problem, seconds)

    def again(self, received: Received, problem: MatchcastError | None, seconds: int) -> Outcome:
        """Have a message come again after some seconds; where that fails, after the queue's visibility timeout."""
        with suppress(MatchcastError), faults_named():
            self._lanes.retry_later(received.lane, received.receipt_handle, seconds)
        return Outcome(received.message_id, done=False, problem=problem)


class Settle(KeepMessages):
    """Ends messages of tasks, one at a time; no method raises what a message is the cause of."""

    def __init__(
        self, tasks: TaskStore, lanes: PredictionQueue, now: Callable[[], datetime], max_attempts: int
    ) -> None:
        super().__init__(lanes)
        self._tasks = tasks
        self._now = now
        self._max_attempts = max_attempts

    def answer(self, delivery: Delivery, answer: Answer, *, counts: bool) -> Outcome:
        """Write what became of one task; `counts` is whether a fault that may pass costs it an attempt."""
        if isinstance(answer, Prediction):
            return self.finish(delivery, status=TaskStatus.SUCCEEDED, result=answer)
        if isinstance(answer, Transient):
            return self._try_again(delivery, answer) if counts else self.postpone(delivery, answer)
        if answer.status < 500:  # the client's fault: the task says so, and the message is done
            return self.finish(delivery, status=TaskStatus.FAILED, error=task_error(answer))
        return self.give_up(delivery, answer)

    def finish(self, delivery: Delivery, **state: object) -> Outcome:
        """Write a final state; a write that loses is no fault: the winner ended the same task."""
        try:
            return self._finish(delivery, **state)
        except Transient as error:
            return self.postpone(delivery, error)
        except MatchcastError as error:
            return self.give_up(delivery, error)

    def postpone(self, delivery: Delivery, problem: MatchcastError) -> Outcome:
        """Keep a message for later without spending an attempt of its task: the service is at fault."""
        return self.keep(delivery.received, problem, partial(self._lanes.send, delivery.task))

    def give_up(self, delivery: Delivery, problem: MatchcastError) -> Outcome:
        """Bury the message, then fail the task: a crash in between repeats the burial, and loses nothing.

        Another worker may have done both meanwhile: a model may take long to fail, and the message came again.
        """
        if self._is_over(delivery.task):
            return Outcome(delivery.received.message_id, done=True, problem=problem)
        buried = self.bury(delivery.received, problem, delivery.task.task_id)
        if not buried.done:
            return buried
        try:
            ended = self._finish(delivery, status=TaskStatus.FAILED, error=task_error(problem))
        except Transient as error:
            return self.postpone(delivery, error)
        except MatchcastError:  # a record that the table refuses however it ends: its letter is all that can be kept
            return buried
        return replace(ended, problem=problem)

    def final(self, task: Task, **state: object) -> Task:
        """Return a task in a final state, as of now."""
        return task.model_copy(update={**state, "completed_at": self._now()})

    def _is_over(self, task: Task) -> bool:
        try:
            with faults_named():
                record = self._tasks.get_many([task.task_id]).get(task.task_id)
        except MatchcastError:  # the table is out of reach, or its record cannot be read: a letter too many is no loss
            return False
        return record is not None and (record.status.is_final or record.generation != task.generation)

    def _finish(self, delivery: Delivery, **state: object) -> Outcome:
        final = self.final(delivery.task, **state)
        with faults_named():
            won = self._tasks.finish(final)
        return Outcome(delivery.received.message_id, done=True, task=final if won else None)

    def _try_again(self, delivery: Delivery, problem: MatchcastError) -> Outcome:
        """Count a failed attempt; after the last one give up."""
        try:
            with faults_named():
                attempts = self._tasks.record_attempt(delivery.task)
        except Transient as error:
            return self.postpone(delivery, error)
        except MatchcastError as error:
            return self.give_up(delivery, error)
        if attempts is None:
            return Outcome(delivery.received.message_id, done=True)
        if attempts >= self._max_attempts:
            return self.give_up(delivery, problem)
        return self.delay(delivery.received, problem, failures=attempts, factor=3)


def task_error(error: MatchcastError) -> TaskError:
    """Return an error as a task's clients read it."""
    fields = tuple(field.as_dict() for field in error.errors[:MOST_FIELD_ERRORS])
    return TaskError(code=error.code, detail=error.public_detail, errors=fields)
