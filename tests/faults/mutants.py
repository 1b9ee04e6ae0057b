"""Broken copies of the product: each lacks one thing that the product takes care of, and has to be caught."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from unittest import mock

from matchcast.adapters.in_memory import InMemoryKeys, InMemoryTasks
from matchcast.domain.prediction import Prediction
from matchcast.domain.task import FINISH, Priority, Task, TaskStatus, WriteRule, new_task_id
from matchcast.errors import MatchcastError, Transient
from matchcast.messages import decode
from matchcast.ports import DeadLetter, KeyRecord, Received
from matchcast.predictions.predictor import Answer
from matchcast.tasks.accept import AcceptTask, IdempotencyKey, MakeTask
from matchcast.tasks.dead_letters import Redrive, RedriveDeadLetters
from matchcast.tasks.help_high_lane import HelpHighLane
from matchcast.tasks.retry import RetryTask
from matchcast.tasks.run import RunPredictions
from matchcast.tasks.settle import Delivery, Outcome, Settle, task_error
from matchcast.tasks.sweep import SweepDeadLetters, Swept
from matchcast.tasks.track import TrackTasks
from tests.faults.queues import SimulatedQueues


@dataclass(frozen=True)
class Mutant:
    """One broken copy: `method` of `owner` is replaced."""

    name: str
    owner: type
    method: str
    broken: Callable[..., Any]

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Break the product for a while."""
        with mock.patch.object(self.owner, self.method, self.broken):
            yield


def write_anyhow(store: InMemoryTasks, task: Task) -> bool:
    store._tasks[task.task_id] = task
    return True


def any_generation(store: InMemoryTasks, rule: WriteRule, task: Task) -> bool:
    present = store._tasks.get(task.task_id)
    if rule is FINISH and present is not None:
        return present.status is TaskStatus.QUEUED
    return allows(store, rule, task)


def never_first(store: InMemoryTasks, rule: WriteRule, task: Task) -> bool:
    return (rule is not FINISH or task.task_id in store._tasks) and allows(store, rule, task)


allows = InMemoryTasks._allows


def claim_anyhow(keys: InMemoryKeys, tenant: str, key: str, record: KeyRecord, expires_at: datetime) -> bool:
    keys._records[tenant, key] = (record, expires_at)
    return True


def record_first(accept: AcceptTask, task: Task, delay_seconds: int) -> Task:
    accept._tasks.create(task)
    accept._lanes.send(task, delay_seconds)
    return task


def no_record(accept: AcceptTask, task: Task, delay_seconds: int) -> Task:
    accept._lanes.send(task, delay_seconds)
    return task


def key_last(
    accept: AcceptTask, tenant: str, make: MakeTask, key: IdempotencyKey | None = None, delay_seconds: int = 0
) -> tuple[Task, bool]:
    now = accept._now()
    if key is not None and accept._keys.find(tenant, key.value, now) is not None:
        return accept_task(accept, tenant, make, key, delay_seconds)
    task = accept._send(make(new_task_id(now), now), delay_seconds)
    if key is not None:
        accept._keys.claim(tenant, key.value, KeyRecord(task.task_id, key.fingerprint, now), task.expires_at)
    return task, True


def key_trusted(
    accept: AcceptTask, tenant: str, make: MakeTask, key: IdempotencyKey | None = None, delay_seconds: int = 0
) -> tuple[Task, bool]:
    record = accept._keys.find(tenant, key.value, accept._now()) if key else None
    if record is not None:
        return make(record.task_id, record.created_at), False
    return accept_task(accept, tenant, make, key, delay_seconds)


accept_task = AcceptTask.accept


def done_without_write(worker: Settle, delivery: Delivery, **state: object) -> Outcome:
    with suppress(Transient):
        worker._tasks.finish(worker.final(delivery.task, **state))
    return Outcome(delivery.received.message_id, done=True)


def answer_own(worker: RunPredictions, task: Task, ended: object = None) -> Answer:
    answer = worker._predictor.predict(task.stage, [task.subject])[0]
    if isinstance(answer, Prediction):
        worker._tasks.finish(worker._settle.final(task, status=TaskStatus.SUCCEEDED, result=answer))
    return answer


def fail_first(worker: Settle, delivery: Delivery, error: MatchcastError) -> Outcome:
    ended = worker.finish(delivery, status=TaskStatus.FAILED, error=task_error(error))
    return worker.bury(delivery.received, error, delivery.task.task_id) if ended.done else ended


def drop_poison(worker: Settle, received: Received, error: MatchcastError, task_id: str | None = None) -> Outcome:
    return Outcome(received.message_id, done=True) if task_id is None else bury(worker, received, error, task_id)


bury = Settle.bury


def help_and_forget(helper: HelpHighLane, has_time: Callable[[], bool]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with suppress(Transient):
        while has_time() and (receive := helper._lanes.take(Priority.HIGH)):
            helper._lanes.remove(Priority.HIGH, receive)
            outcomes += helper._run.run(receive)
    return outcomes


def no_delayed_message(queues: SimulatedQueues, task: Task, delay_seconds: int = 0) -> None:
    if not delay_seconds:
        send(queues, task)


send = SimulatedQueues.send


def no_sweep(_: SweepDeadLetters) -> Swept:
    return Swept(letters=0, failed=0)


def send_before_reopening(redrive: RedriveDeadLetters, letter: DeadLetter) -> Redrive:
    task = redrive.plan(letter)[1]
    if task is not None:
        redrive._lanes.send(task)
        redrive._is_reopened(task)
        redrive._letters.delete(letter)
    return Redrive.REDRIVEN


def delete_before_sending(redrive: RedriveDeadLetters, letter: DeadLetter) -> Redrive:
    task = redrive.plan(letter)[1]
    if task is not None and redrive._is_reopened(task):
        redrive._letters.delete(letter)
        redrive._lanes.send(task)
    return Redrive.REDRIVEN


def resend_queued(redrive: RedriveDeadLetters, letter: DeadLetter) -> Redrive:
    task = redrive.plan(letter)[1]
    record = redrive._tasks.get_many([task.task_id]).get(task.task_id) if task else None
    if record is None or record.status is not TaskStatus.QUEUED or record.generation != decode(letter.body).generation:
        return redrive_letter(redrive, letter)
    redrive._lanes.send(record)
    redrive._letters.delete(letter)
    return Redrive.REDRIVEN


redrive_letter = RedriveDeadLetters.redrive


def look_again(retry: RetryTask, tenant: str, task_id: str, key: IdempotencyKey | None = None) -> Task:
    submission = retry._submission(tenant, task_id)
    return retry._submit.submit(tenant, submission, key)[0]


def derive_expiry(_: TrackTasks, task: Task, now: datetime) -> Task:
    return task.model_copy(update={"status": task.status_at(now)})


MUTANTS = (
    Mutant("no condition on the final write", InMemoryTasks, "finish", write_anyhow),
    Mutant("no generation in the final write", InMemoryTasks, "_allows", any_generation),
    Mutant("no final write without a record", InMemoryTasks, "_allows", never_first),
    Mutant("no condition on the put", InMemoryTasks, "create", write_anyhow),
    Mutant("record before message", AcceptTask, "_send", record_first),
    Mutant("202 before the record", AcceptTask, "_send", no_record),
    Mutant("message deleted before the write", Settle, "finish", done_without_write),
    Mutant("a helped message removed before its write", HelpHighLane, "help", help_and_forget),
    Mutant("task failed before its message is buried", Settle, "give_up", fail_first),
    Mutant("no dead letter for poison", Settle, "bury", drop_poison),
    Mutant("sweep off", SweepDeadLetters, "sweep", no_sweep),
    Mutant("key record after the message", AcceptTask, "accept", key_last),
    Mutant("no condition on the key record", InMemoryKeys, "claim", claim_anyhow),
    Mutant("key trusted without its task", AcceptTask, "accept", key_trusted),
    Mutant("no safety net for a task that a client waits for", SimulatedQueues, "send", no_delayed_message),
    Mutant("a waiting client gets a result of its own", RunPredictions, "run_task", answer_own),
    Mutant("redrive sends before reopening", RedriveDeadLetters, "redrive", send_before_reopening),
    Mutant("redrive deletes the letter before sending", RedriveDeadLetters, "redrive", delete_before_sending),
    Mutant("redrive without a new generation", RedriveDeadLetters, "redrive", resend_queued),
    Mutant("a repeated retry looks at the old task again", RetryTask, "retry", look_again),
    Mutant("expiry derived and not written", TrackTasks, "_seen", derive_expiry),
)
"""The broken copies."""
