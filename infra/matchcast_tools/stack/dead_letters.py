"""The dead letters of a stack, and what works on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, TypeVar

from matchcast.batches.dead_letters import DiscardBatchLetters, RedriveBatchLetters, batch_message_in
from matchcast.domain.task import Priority, utc_now
from matchcast.ports import DeadLetter, DeadLetters, TaskStore
from matchcast.tasks.dead_letters import Discard, DiscardDeadLetters, Redrive, RedriveDeadLetters
from matchcast_tools.stack.deployed import Stack

Outcome = TypeVar("Outcome", Redrive, Discard)


class Queue(StrEnum):
    """What there are dead letters of: the two lanes, and the queue of batches."""

    HIGH = "high"
    NORMAL = "normal"
    BATCHES = "batches"


@dataclass(frozen=True, slots=True)
class RedriveLetters:
    """Redrives letters, each as what it carries."""

    tasks: RedriveDeadLetters
    batches: RedriveBatchLetters

    def plans(self, letters: Sequence[DeadLetter]) -> list[tuple[Redrive, object]]:
        """Return what redriving each letter would do, and what would be sent."""
        return _by_kind(letters, self.tasks.plans, self.batches.plans)

    def redrive(self, letter: DeadLetter) -> Redrive:
        """Redrive a letter."""
        return (self.tasks if batch_message_in(letter) is None else self.batches).redrive(letter)


@dataclass(frozen=True, slots=True)
class DiscardLetters:
    """Discards letters, each as what it carries."""

    tasks: DiscardDeadLetters
    batches: DiscardBatchLetters

    def plans(self, letters: Sequence[DeadLetter]) -> list[tuple[Discard, object]]:
        """Return what discarding each letter would do, and what would fail."""
        return _by_kind(letters, self.tasks.plans, self.batches.plans)

    def discard(self, letter: DeadLetter) -> Discard:
        """Discard a letter."""
        return (self.tasks if batch_message_in(letter) is None else self.batches).discard(letter)


def _by_kind(
    letters: Sequence[DeadLetter],
    of_tasks: Callable[[Sequence[DeadLetter]], Sequence[tuple[Outcome, object]]],
    of_batches: Callable[[Sequence[DeadLetter]], Sequence[tuple[Outcome, object]]],
) -> list[tuple[Outcome, object]]:
    """Return the plan of each letter, with one read of records for each kind; one that is unreadable is like a task."""
    kinds = [of_tasks if batch_message_in(letter) is None else of_batches for letter in letters]
    plans = {
        kind: iter(kind([letter for letter, its_kind in zip(letters, kinds, strict=True) if its_kind is kind]))
        for kind in set(kinds)
    }
    return [next(plans[kind]) for kind in kinds]


def dead_letters(stack: Stack) -> DeadLetters:
    """Return the dead letters of a stack."""
    from matchcast.adapters.sqs_dead_letters import SQSDeadLetters

    return SQSDeadLetters(stack.client("sqs"), _urls(stack))


@dataclass(frozen=True, slots=True)
class LetterCount:
    """About how many letters of a queue can be received, and how many another reader hides, at a time of the queue."""

    visible: int
    hidden: int
    at: datetime


def count_letters(stack: Stack, queue: str) -> LetterCount:
    """Return how many letters a queue has."""
    answer = stack.client("sqs").get_queue_attributes(
        QueueUrl=_urls(stack)[queue],
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )
    found = answer["Attributes"]
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    # The date has no fractions of a second.
    at = utc_now() if date is None else parsedate_to_datetime(date) + timedelta(seconds=1)
    return LetterCount(
        visible=int(found["ApproximateNumberOfMessages"]),
        hidden=int(found["ApproximateNumberOfMessagesNotVisible"]),
        at=at,
    )


def redriving(stack: Stack, lifetime: timedelta) -> RedriveLetters:
    """Return the use cases over a stack's queues and table; `lifetime` is that of tasks that are queued again."""
    from matchcast.adapters.sqs_lanes import SQSLanes

    queues = {Priority.HIGH: stack.output("HighQueueUrl"), Priority.NORMAL: stack.output("NormalQueueUrl")}
    tasks = RedriveDeadLetters(
        letters=dead_letters(stack),
        tasks=_tasks(stack),
        lanes=SQSLanes(stack.client("sqs"), queues),
        now=utc_now,
        lifetime=lifetime,
    )
    return RedriveLetters(tasks, RedriveBatchLetters(**_batches(stack)))


def discarding(stack: Stack) -> DiscardLetters:
    """Return the use cases over a stack's dead letters and table."""
    tasks = DiscardDeadLetters(letters=dead_letters(stack), tasks=_tasks(stack), now=utc_now)
    return DiscardLetters(tasks, DiscardBatchLetters(**_batches(stack)))


def _urls(stack: Stack) -> dict[str, str]:
    return {queue: stack.output(f"{queue.title()}DeadLetterQueueUrl") for queue in Queue}


def _tasks(stack: Stack) -> TaskStore:
    from matchcast.adapters.dynamodb_tasks import DynamoDBTasks

    # Nothing is listed here, so the number of shards matters for new items alone: a record keeps its shard,
    # because its id does.
    return DynamoDBTasks(stack.client("dynamodb"), stack.output("TasksTableName"), int(stack.output("TenantShards")))


def _batches(stack: Stack) -> dict[str, Any]:
    from matchcast.adapters.dynamodb_batches import DynamoDBBatches
    from matchcast.adapters.sqs_batches import SQSBatches

    return {
        "letters": dead_letters(stack),
        "batches": DynamoDBBatches(stack.client("dynamodb"), stack.output("TasksTableName")),
        "queue": SQSBatches(stack.client("sqs"), stack.output("BatchesQueueUrl"), stack.output("NormalQueueUrl")),
        "now": utc_now,
    }
