"""The dead letters of a stack, and what works on them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from matchcast.domain.task import Priority, utc_now
from matchcast.ports import DeadLetters, TaskStore
from matchcast.tasks.dead_letters import DiscardDeadLetters, RedriveDeadLetters
from matchcast_tools.stack.deployed import Stack


def dead_letters(stack: Stack) -> DeadLetters:
    """Return the dead letters of a stack."""
    from matchcast.adapters.sqs_dead_letters import SQSDeadLetters

    return SQSDeadLetters(stack.client("sqs"), _urls(stack))


def waiting_letters(stack: Stack, lanes: Iterable[Priority]) -> int:
    """Return about how many letters of some lanes can be received."""
    sqs, urls, name = stack.client("sqs"), _urls(stack), "ApproximateNumberOfMessages"
    found = [sqs.get_queue_attributes(QueueUrl=urls[lane], AttributeNames=[name]) for lane in lanes]
    return sum(int(answer["Attributes"][name]) for answer in found)


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
