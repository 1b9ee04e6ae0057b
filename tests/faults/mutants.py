"""Broken copies of the product: each lacks one thing that the product takes care of, and has to be caught."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from functions.submit_prediction import handler as submit_handler
from matchcast.adapters.dynamodb_records import DynamoDBKeys
from matchcast.domain.prediction import Prediction
from matchcast.domain.task import Task, TaskStatus, new_task_id
from matchcast.errors import ModelFailed, StorageUnavailable
from matchcast.messages import decode
from matchcast.ports import DeadLetter, KeyRecord
from matchcast.predictions.predictor import Predictor
from matchcast.predictions.result_cache import CachedResults
from matchcast.tasks.accept import AcceptTask, IdempotencyKey, MakeTask
from matchcast.tasks.circuit_breaker import CircuitBreaker
from matchcast.tasks.dead_letters import Discard, DiscardDeadLetters, Redrive, RedriveDeadLetters
from matchcast.tasks.open_tasks import OpenTasks
from matchcast.tasks.retry import RetryTask
from matchcast.tasks.run import RunPredictions
from matchcast.tasks.track import TrackTasks
from tests.faults import tampering as wire
from tests.faults.broken_batches import BATCH_MUTANTS
from tests.faults.broken_callbacks import CALLBACK_MUTANTS
from tests.faults.broken_serving import SERVING_MUTANTS
from tests.faults.broken_webhooks import WEBHOOK_MUTANTS
from tests.faults.invocations import HANDLERS
from tests.faults.mutant import Mutant, on_the_wire

# What accepts tasks.


def record_first(accept: AcceptTask, task: Task, delay_seconds: int) -> Task:
    accept._records.create(task)
    accept._outbox.send(task, delay_seconds)
    return task


def no_record(accept: AcceptTask, task: Task, delay_seconds: int) -> Task:
    accept._outbox.send(task, delay_seconds)
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


def found_for_ever(keys: DynamoDBKeys, tenant: str, key: str, now: datetime) -> KeyRecord | None:
    return find_key(keys, tenant, key, now.replace(year=2000))


find_key = DynamoDBKeys.find


def key_of_anything(header: str | None, route: str, _: Any) -> Any:
    return idempotency_key(header, route, None)


idempotency_key: Any = vars(submit_handler)["idempotency_key"]


def look_again(retry: RetryTask, tenant: str, task_id: str, key: IdempotencyKey | None = None) -> tuple[Task, bool]:
    submission = retry._submission(tenant, task_id)
    return retry._submit.submit(tenant, submission, key)


# What predicts.


def all_fail(_: Predictor, __: str, subjects: Any) -> list[ModelFailed]:
    return [ModelFailed("It fails.") for _ in subjects]


def one_attempt(worker: RunPredictions, *, max_attempts: int, **parts: Any) -> None:
    make_worker(worker, max_attempts=1, **parts)


make_worker = RunPredictions.__init__


def nothing_reported(event: Any, context: Any) -> Any:
    answer = run_inference(event, context)
    return {"batchItemFailures": []} if "batchItemFailures" in answer else answer


run_inference = HANDLERS["run_inference"]


def any_snapshot(results: CachedResults, match_id: str, stage: str) -> Prediction | None:
    published = results._models.current().stages.get(stage)
    found = results._cache.find(match_id, published.run_id, results._now()) if published else None
    return found.model_copy(update={"cached": True}) if found else None


# What looks after dead letters.


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


def discard_in_place(discard: DiscardDeadLetters, letter: DeadLetter) -> Discard:
    outcome, task = discard.plan(letter)
    if task is not None:
        discard._fail(task)
    discard._letters.delete(letter)
    return outcome


def resend_queued(redrive: RedriveDeadLetters, letter: DeadLetter) -> Redrive:
    task = redrive.plan(letter)[1]
    record = redrive._tasks.get_many([task.task_id]).get(task.task_id) if task else None
    if record is None or record.status is not TaskStatus.QUEUED or record.generation != decode(letter.body).generation:
        return redrive_letter(redrive, letter)
    redrive._lanes.send(record)
    redrive._letters.delete(letter)
    return Redrive.REDRIVEN


redrive_letter = RedriveDeadLetters.redrive


# What tells clients.


def derive_expiry(_: TrackTasks, task: Task, now: datetime) -> Task:
    return task.model_copy(update={"status": task.status_at(now)})


def _sends(is_it: Callable[[Any], bool]) -> Callable[[str, Any], bool]:
    return lambda operation, content: operation == "SendMessage" and is_it(content)


def _refuses() -> tuple[str, Any]:
    """Return the method by which the circuit breaker lets nothing through, and what it answers then."""
    if hasattr(CircuitBreaker, "allows"):
        return "allows", lambda _: False
    return "refusal", lambda _, __: StorageUnavailable("It rests.")


_FIRST = "attribute_not_exists(pk) OR "
MUTANTS = (
    # Tasks are accepted once, and only where they will be done.
    Mutant("record before message", AcceptTask, "_send", record_first),
    Mutant("202 before the record", AcceptTask, "_send", no_record),
    Mutant("key record after the message", AcceptTask, "accept", key_last),
    Mutant("key trusted without its task", AcceptTask, "accept", key_trusted),
    Mutant("a key that never expires", DynamoDBKeys, "find", found_for_ever),
    Mutant("a key stands for any request", submit_handler, "idempotency_key", key_of_anything),
    Mutant("a repeated retry looks at the old task again", RetryTask, "retry", look_again),
    Mutant("no limit of open tasks", OpenTasks, "check", lambda *_: None),
    on_the_wire("no condition on the key record", wire.without_condition("PutItem", "key#")),
    on_the_wire("a key record is never replaced", wire.with_condition("PutItem", "key#", " OR expires_at <= :now", "")),
    on_the_wire("keys read inconsistently", wire.inconsistent("GetItem", "key#")),
    on_the_wire("no safety net for a waiting client", wire.swallowed(_sends(lambda it: it.get("DelaySeconds", 0) > 0))),
    # Each ends once, as it should.
    on_the_wire("no condition on the put", wire.without_condition("PutItem", "task#")),
    on_the_wire("no condition on the final write", wire.without_condition("UpdateItem", "task#")),
    on_the_wire(
        "no generation in the final write",
        wire.with_condition("UpdateItem", "task#", " AND generation = :expected_generation", ""),
    ),
    on_the_wire("no final write without a record", wire.with_condition("UpdateItem", "task#", _FIRST, "")),
    on_the_wire("a waiting client gets a result of its own", wire.own_result),
    on_the_wire("every receive expired", wire.request(wire.expired_instead)),
    Mutant("every good prediction failed", Predictor, "predict", all_fail),
    Mutant("the breaker never allows", CircuitBreaker, *_refuses()),
    Mutant("the first fault gives up", RunPredictions, "__init__", one_attempt),
    # No message is lost before its task has ended.
    Mutant("message deleted before the write", HANDLERS, "run_inference", nothing_reported),
    on_the_wire("a helped message removed before its write", wire.removed_at_receipt),
    on_the_wire("task failed before its message is buried", wire.buried_late),
    on_the_wire("no dead letters", wire.swallowed(_sends(lambda it: it["QueueUrl"].endswith("-dead")))),
    # Dead letters are work.
    Mutant("sweep off", HANDLERS, "sweep_dead_letters", lambda *_: {}),
    on_the_wire("sweep fails a redriven task", wire.any_generation_in_sweep),
    Mutant("redrive sends before reopening", RedriveDeadLetters, "redrive", send_before_reopening),
    Mutant("redrive deletes the letter before sending", RedriveDeadLetters, "redrive", delete_before_sending),
    Mutant("redrive without a new generation", RedriveDeadLetters, "redrive", resend_queued),
    Mutant("a discarded task keeps its generation", DiscardDeadLetters, "discard", discard_in_place),
    on_the_wire("discard deletes another letter", wire.request(wire.another_letter)),
    # Readers see what is there, as long as it is there.
    on_the_wire("tasks read inconsistently", wire.inconsistent("BatchGetItem", "task#")),
    on_the_wire("unprocessed keys ignored", wire.unprocessed_ignored),
    on_the_wire("a list without its second page", wire.first_page_only),
    on_the_wire("pages of a list that begin anew", wire.request(wire.begin_anew)),
    on_the_wire("forgotten when it expires", wire.request(wire.forgotten_early)),
    Mutant("expiry derived and not written", TrackTasks, "_seen", derive_expiry),
    Mutant("start_by is not heeded", Task, "status_at", lambda task, _: task.status),
    Mutant("expires_at is not heeded", Task, "is_readable_at", lambda _, __: True),
    Mutant("a cached prediction of another snapshot", CachedResults, "find", any_snapshot),
    # Releases are read whole, and what cannot be served has its right end.
    *SERVING_MUTANTS,
    # Batches end, whole and counted.
    *BATCH_MUTANTS,
    # Events of callbacks arrive.
    *CALLBACK_MUTANTS,
    *WEBHOOK_MUTANTS,
)
"""The broken copies."""
