"""The dead letters of a stack, and what works on them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from matchcast.domain.task import Priority, utc_now
from matchcast.ports import DeadLetters, TaskStore
from matchcast.tasks.dead_letters import DiscardDeadLetters, RedriveDeadLetters
from matchcast_tools.stack.deployed import Stack


def dead_letters(stack: Stack) -> DeadLetters:
    """Return the dead letters of a stack."""
    from matchcast.adapters.sqs_dead_letters import SQSDeadLetters

    return SQSDeadLetters(stack.client("sqs"), _urls(stack))


@dataclass(frozen=True, slots=True)
class LetterCount:
    """About how many letters of a lane can be received, and how many another reader hides, at a time of the queue."""

    visible: int
    hidden: int
    at: datetime


def count_letters(stack: Stack, lane: Priority) -> LetterCount:
    """Return how many letters a lane has."""
    answer = stack.client("sqs").get_queue_attributes(
        QueueUrl=_urls(stack)[lane],
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


def redriving(stack: Stack, lifetime: timedelta) -> RedriveDeadLetters:
    """Return the use case over a stack's queues and table."""
    from matchcast.adapters.sqs_lanes import SQSLanes

    queues = {Priority.HIGH: stack.output("HighQueueUrl"), Priority.NORMAL: stack.output("NormalQueueUrl")}
    return RedriveDeadLetters(
        letters=dead_letters(stack),
        tasks=_tasks(stack),
        lanes=SQSLanes(stack.client("sqs"), queues),
        now=utc_now,
        lifetime=lifetime,
    )


def discarding(stack: Stack) -> DiscardDeadLetters:
    """Return the use case over a stack's dead letters and table."""
    return DiscardDeadLetters(letters=dead_letters(stack), tasks=_tasks(stack), now=utc_now)


def _urls(stack: Stack) -> dict[Priority, str]:
    return {
        Priority.HIGH: stack.output("HighDeadLetterQueueUrl"),
        Priority.NORMAL: stack.output("NormalDeadLetterQueueUrl"),
    }


def _tasks(stack: Stack) -> TaskStore:
    from matchcast.adapters.dynamodb_tasks import DynamoDBTasks

    # Nothing is listed here, so the number of shards matters for new items alone: a record keeps its shard,
    # because its id does.
    return DynamoDBTasks(stack.client("dynamodb"), stack.output("TasksTableName"), int(stack.output("TenantShards")))
