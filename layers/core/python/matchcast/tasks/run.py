"""The worker: one receive of queue messages becomes final results, one conditional write each.

A prediction is a pure function of features and model version, so computing one twice is waste, not harm.
Nothing is claimed or leased: the first worker that writes the final state wins, and every worker would write
the same answer. A message is deleted only after its task's final state is in the table, or after the message
itself is safe among the dead letters.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from matchcast.domain.prediction import Prediction
from matchcast.domain.task import Task, TaskError, TaskStatus
from matchcast.errors import InvalidMessage, MatchcastError, TaskOver, Transient
from matchcast.messages import decode
from matchcast.ports import PredictionQueue, Received, TaskStore
from matchcast.predictions.predictor import Answer, Predictor
from matchcast.tasks.circuit_breaker import CircuitBreaker

FIRST_RETRY_SECONDS = 10
LONGEST_RETRY_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery whose body could be read."""

    received: Received
    task: Task


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message: `done` ones are deleted, the others come again; `task` is set if this run ended it."""

    message_id: str
    done: bool
    task: Task | None = None


class RunPredictions:
    """Turns receives into results."""

    def __init__(
        self,
        *,
        predictor: Predictor,
        tasks: TaskStore,
        lanes: PredictionQueue,
        threads: Executor,
        breaker: CircuitBreaker,
        now: Callable[[], datetime],
        max_attempts: int,
    ) -> None:
        self._predictor = predictor
        self._tasks = tasks
        self._lanes = lanes
        self._threads = threads
        self._breaker = breaker
        self._now = now
        self._max_attempts = max_attempts

    def run(self, receive: Sequence[Received]) -> list[Outcome]:
        """Return the outcome of every message of a receive, in any order.

        Reads the records in one batch, predicts once per stage, and writes the results in parallel.
        """
        outcomes: list[Outcome] = []
        deliveries: list[Delivery] = []
        for received in receive:
            try:
                deliveries.append(Delivery(received, decode(received.body)))
            except InvalidMessage as error:
                outcomes.append(self._bury(received, error, task_id=None))
        if not deliveries:
            return outcomes
        if not self._breaker.allows():
            return outcomes + [self._return_to_queue(delivery) for delivery in deliveries]
        try:
            waiting, over = self._sort(deliveries)
        except Transient:
            self._breaker.record(success=False)
            return outcomes + [self._return_to_queue(delivery) for delivery in deliveries]
        return outcomes + over + self._work(waiting)

    def run_task(self, task: Task) -> Answer:
        """Predict one task whose client waits, and write its final state; a passing fault writes nothing.

        The task's own message comes later; it finds the final state, or does the work. Where another worker
        ended the task meanwhile, the client gets that result, or TaskOver: every reader sees the same end.
        """
        answer = self._predictor.predict(task.stage, [task.subject])[0]
        if isinstance(answer, Prediction):
            if not self._tasks.finish(self._final(task, status=TaskStatus.SUCCEEDED, result=answer)):
                record = self._tasks.get_many([task.task_id]).get(task.task_id, task)
                return record.result or TaskOver(f"The task {task.task_id} ended in another way meanwhile.")
        elif not isinstance(answer, Transient) and answer.status < 500:
            self._tasks.finish(self._final(task, status=TaskStatus.FAILED, error=_task_error(answer)))
        return answer

    def _sort(self, deliveries: Sequence[Delivery]) -> tuple[list[Delivery], list[Outcome]]:
        """Split the deliveries into those to predict and those that are over."""
        records = self._tasks.get_many(list({delivery.task.task_id for delivery in deliveries}))
        now = self._now()
        waiting: list[Delivery] = []
        over: list[Outcome] = []
        for delivery in deliveries:
            task, message_id = delivery.task, delivery.received.message_id
            record = records.get(task.task_id, task)
            if record.status.is_final or record.generation != task.generation:
                over.append(Outcome(message_id, done=True))
            elif task.status_at(now) is TaskStatus.EXPIRED or not task.is_readable_at(now):
                over.append(self._finish(delivery, status=TaskStatus.EXPIRED))
            else:
                waiting.append(delivery)
        return waiting, over

    def _work(self, waiting: Sequence[Delivery]) -> list[Outcome]:
        if not waiting:
            return []
        stages = dict.fromkeys(delivery.task.stage for delivery in waiting)
        answered = [pair for stage in stages for pair in self._predict(stage, waiting)]
        # Only where nothing at all could be answered is the service, and not a task, at fault.
        self._breaker.record(success=not all(isinstance(answer, Transient) for _, answer in answered))
        return list(self._threads.map(lambda pair: self._settle(*pair), answered))

    def _predict(self, stage: str, waiting: Sequence[Delivery]) -> list[tuple[Delivery, Answer]]:
        mine = [delivery for delivery in waiting if delivery.task.stage == stage]
        try:
            answers = self._predictor.predict(stage, [delivery.task.subject for delivery in mine])
        except MatchcastError as error:
            answers = [error] * len(mine)
        return list(zip(mine, answers, strict=True))

    def _settle(self, delivery: Delivery, answer: Answer) -> Outcome:
        """Write what became of one task."""
        if isinstance(answer, Prediction):
            return self._finish(delivery, status=TaskStatus.SUCCEEDED, result=answer)
        if isinstance(answer, Transient):
            return self._return_to_queue(delivery) if self._breaker.is_open else self._try_again(delivery, answer)
        if answer.status < 500:  # the client's fault: the task says so, and the message is done
            return self._finish(delivery, status=TaskStatus.FAILED, error=_task_error(answer))
        return self._give_up(delivery, answer)

    def _finish(self, delivery: Delivery, **state: object) -> Outcome:
        """Write a final state; a write that loses is no fault: the winner ended the same task."""
        final = self._final(delivery.task, **state)
        try:
            won = self._tasks.finish(final)
        except Transient:
            return self._return_to_queue(delivery)
        return Outcome(delivery.received.message_id, done=True, task=final if won else None)

    def _final(self, task: Task, **state: object) -> Task:
        return task.model_copy(update={**state, "completed_at": self._now()})

    def _try_again(self, delivery: Delivery, error: MatchcastError) -> Outcome:
        """Count a failed attempt; after the last one give up."""
        try:
            attempts = self._tasks.record_attempt(delivery.task)
        except Transient:
            return self._return_to_queue(delivery)
        if attempts is None:
            return Outcome(delivery.received.message_id, done=True)
        if attempts >= self._max_attempts:
            return self._give_up(delivery, error)
        return self._postpone(delivery.received, failures=attempts, factor=3)

    def _return_to_queue(self, delivery: Delivery) -> Outcome:
        """Keep a message for later without spending an attempt of its task: the service is at fault."""
        return self._postpone(delivery.received, failures=delivery.received.receive_count, factor=2)

    def _give_up(self, delivery: Delivery, error: MatchcastError) -> Outcome:
        """Bury the message, then fail the task: a crash in between repeats the burial, and loses nothing."""
        buried = self._bury(delivery.received, error, delivery.task.task_id)
        if not buried.done:
            return buried
        return self._finish(delivery, status=TaskStatus.FAILED, error=_task_error(error))

    def _bury(self, received: Received, error: MatchcastError, task_id: str | None) -> Outcome:
        try:
            self._lanes.bury(received.lane, received.body, error.code, task_id)
        except Transient:
            return Outcome(received.message_id, done=False)
        return Outcome(received.message_id, done=True)

    def _postpone(self, received: Received, *, failures: int, factor: int) -> Outcome:
        """Delay the next delivery: 10 s, then longer, with jitter so that a burst does not come back as one."""
        seconds = FIRST_RETRY_SECONDS * factor ** min(failures - 1, 10)
        if failures > 1:
            # The longest delay keeps its jitter, below the limit.
            seconds = int(min(seconds, LONGEST_RETRY_SECONDS / 1.5) * random.uniform(1, 1.5))  # noqa: S311 - no secret
        with suppress(Transient):  # else the queue's own visibility timeout is the delay
            self._lanes.retry_later(received.lane, received.receipt_handle, seconds)
        return Outcome(received.message_id, done=False)


def _task_error(error: MatchcastError) -> TaskError:
    return TaskError(
        code=error.code, detail=error.public_detail, errors=tuple(field.as_dict() for field in error.errors)
    )
