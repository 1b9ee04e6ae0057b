"""The worker: one receive of queue messages becomes final results, one conditional write each.

A prediction is a pure function of features and model version, so computing one twice is waste, not harm.
Nothing is claimed or leased: the first worker that writes the final state wins, and every worker would write
the same answer. What one message raises concerns that message alone, and what one stage does concerns that stage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import datetime
from functools import partial

from matchcast.domain.prediction import Prediction
from matchcast.domain.task import Task, TaskStatus
from matchcast.errors import MatchcastError, ModelCrashed, StorageUnavailable, TaskOver, Transient
from matchcast.messages import decode, named_task
from matchcast.ports import PredictionQueue, Received, TaskStore
from matchcast.predictions.predictor import Answer, Predictor
from matchcast.tasks.circuit_breaker import TABLE, CircuitBreaker, stage_cause
from matchcast.tasks.isolation import apart, faults_named
from matchcast.tasks.settle import Delivery, Outcome, Settle, task_error
from matchcast.tasks.stage_calls import InTurn, StageCalls

STAGE_SECONDS = 45.0
"""How long a receive waits for the model of a stage: what Lambda gives an invocation, without the writes."""


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
        stage_calls: StageCalls[list[Outcome]] | None = None,
    ) -> None:
        self._predictor = predictor
        self._tasks = tasks
        self._threads = threads
        self._breaker = breaker
        self._now = now
        self._settle = Settle(tasks, lanes, now, max_attempts)
        self._stage_calls = stage_calls or InTurn()

    def run(self, receive: Sequence[Received], seconds: float = STAGE_SECONDS) -> list[Outcome]:
        """Return the outcome of every message of a receive, in any order.

        Reads the records in one batch, predicts once per stage, and writes the results in parallel, those of each
        stage as soon as its model has answered. No stage is waited for longer than `seconds`; the messages of one that
        takes longer come again, and its results are written when they are there.
        """
        outcomes: list[Outcome] = []
        deliveries: list[Delivery] = []
        for received in receive:
            try:
                with faults_named():
                    deliveries.append(Delivery(received, decode(received.body)))
            except MatchcastError as error:
                outcomes.append(self._unreadable(received, error))
        if not deliveries:
            return outcomes
        if refusal := self._breaker.refusal(TABLE):
            return outcomes + [self._settle.postpone(delivery, refusal) for delivery in deliveries]
        try:
            records = apart(self._records, deliveries)
        except Transient as error:
            self._breaker.record(TABLE, error)
            return outcomes + [self._settle.postpone(delivery, error) for delivery in deliveries]
        worked = self._work(deliveries, records, seconds)
        self._breaker.record(TABLE, _refusal_of_all(worked))
        return outcomes + worked

    def ended_late(self) -> list[Outcome]:
        """Return, once, the outcomes of tasks that ended after `run` had stopped waiting for their stage."""
        return [outcome for outcomes in self._stage_calls.late() for outcome in outcomes if outcome.task is not None]

    def run_task(self, task: Task, ended: Callable[[Task], object] = lambda _: None) -> Answer:
        """Predict one task whose client waits, and write its final state; a passing fault writes nothing.

        The task's own message comes later; it finds the final state, or does the work. Where another worker
        ended the task meanwhile, the client gets that result, or TaskOver: every reader sees the same end.
        `ended` is called with the task if this call ended it.
        """
        answer = self._predictor.predict(task.stage, [task.subject])[0]
        if isinstance(answer, Prediction):
            final = self._settle.final(task, status=TaskStatus.SUCCEEDED, result=answer)
            if not self._tasks.finish(final):
                record = self._tasks.get_many([task.task_id]).get(task.task_id, task)
                return record.result or TaskOver(f"The task {task.task_id} ended in another way meanwhile.")
            ended(final)
        elif not isinstance(answer, Transient) and answer.status < 500:
            final = self._settle.final(task, status=TaskStatus.FAILED, error=task_error(answer))
            if self._tasks.finish(final):
                ended(final)
        return answer

    def _unreadable(self, received: Received, problem: MatchcastError) -> Outcome:
        """Bury a message that cannot be read; a task that it names, and that still waits for it, fails."""
        named = named_task(received.body)
        if named is None:
            return self._settle.bury(received, problem)
        task_id, generation = named
        try:
            with faults_named():
                record = self._tasks.get_many([task_id]).get(task_id)
        except Transient:
            return Outcome(received.message_id, done=False, problem=problem)
        except MatchcastError:
            record = None
        if record is None or record.status.is_final or record.generation != generation:
            return self._settle.bury(received, problem, task_id)
        return self._settle.give_up(Delivery(received, record), problem)

    def _records(self, deliveries: Sequence[Delivery]) -> list[Task]:
        """Return the record of each delivery's task; where there is none, the task of its message."""
        records = self._tasks.get_many(list({delivery.task.task_id for delivery in deliveries}))
        return [records.get(delivery.task.task_id, delivery.task) for delivery in deliveries]

    def _work(
        self, deliveries: Sequence[Delivery], records: Sequence[Task | MatchcastError], seconds: float
    ) -> list[Outcome]:
        """Settle what needs no prediction, then the others stage by stage."""
        outcomes: list[Outcome] = []
        stages: dict[str, list[Delivery]] = {}
        for delivery, record in zip(deliveries, records, strict=True):
            outcome = self._without_prediction(delivery, record)
            if outcome is None:
                stages.setdefault(delivery.task.stage, []).append(delivery)
            else:
                outcomes.append(outcome)
        calls: dict[str, Callable[[], list[Outcome]]] = {}
        for stage, waiting in stages.items():
            if refusal := self._breaker.refusal(stage_cause(stage)):
                outcomes += [self._settle.postpone(delivery, refusal) for delivery in waiting]
            else:
                calls[stage] = partial(self._do, stage, waiting)
        for stage, result in self._stage_calls(calls, seconds):
            if isinstance(result, MatchcastError):
                self._breaker.record(stage_cause(stage), result)
                outcomes += [self._settle.postpone(delivery, result) for delivery in stages[stage]]
            else:
                outcomes += result
        return outcomes

    def _without_prediction(self, delivery: Delivery, record: Task | MatchcastError) -> Outcome | None:
        """Settle a message whose task is over, too late, or cannot be read; None for one that is to be predicted."""
        task, now = delivery.task, self._now()
        if isinstance(record, MatchcastError):
            return self._settle.give_up(delivery, record)
        if record.status.is_final or record.generation != task.generation:
            return Outcome(delivery.received.message_id, done=True)
        if task.status_at(now) is TaskStatus.EXPIRED or not task.is_readable_at(now):
            return self._settle.finish(delivery, status=TaskStatus.EXPIRED)
        return None

    def _do(self, stage: str, waiting: Sequence[Delivery]) -> list[Outcome]:
        """Predict and settle the deliveries of a stage."""

        def predict(some: Sequence[Delivery]) -> Sequence[Prediction | MatchcastError]:
            return self._predictor.predict(stage, [delivery.task.subject for delivery in some])

        answers: list[Answer]
        try:
            answers = apart(predict, waiting)
        except MatchcastError as error:
            answers = [error] * len(waiting)
        # Only where nothing at all could be answered is the stage, and not a task, at fault.
        faults = [answer for answer in answers if isinstance(answer, (ModelCrashed, Transient))]
        cause = stage_cause(stage)
        self._breaker.record(cause, faults[0] if len(faults) == len(answers) else None)
        settle = partial(self._settle_one, counts=not self._breaker.is_open(cause))
        return list(self._threads.map(settle, waiting, answers))

    def _settle_one(self, delivery: Delivery, answer: Answer, *, counts: bool) -> Outcome:
        return self._settle.answer(delivery, answer, counts=counts)


def _refusal_of_all(outcomes: Sequence[Outcome]) -> MatchcastError | None:
    """Return why the table took no write of a receive; None if it took one, or if there was nothing to write."""
    refusals = [outcome.problem for outcome in outcomes if isinstance(outcome.problem, StorageUnavailable)]
    return refusals[0] if refusals and not any(outcome.done for outcome in outcomes) else None
