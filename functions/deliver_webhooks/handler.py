"""Entry of deliver_webhooks: records of the stream, messages of the queue, or the schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from matchcast.bootstrap import deliveries, parts
from matchcast.domain.task import Priority
from matchcast.errors import UnexpectedFault
from matchcast.observability import MetricUnit, flushed_metrics, logger, metrics
from matchcast.ports import Received
from matchcast.webhooks.deliver import Outcome

OLDEST = "webhook_oldest_undelivered_seconds"
"""What an alarm watches: each sweep says how long the oldest attempt is overdue."""


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Publish, deliver or sweep, as the event's source says; return what must come again, or what was sent."""
    with flushed_metrics():
        records = event.get("Records")
        if records is None:
            return sweep()
        if records[0].get("eventSource") == "aws:dynamodb":
            return publish(event)
        return deliver(records)


def publish(event: Mapping[str, Any]) -> dict[str, Any]:
    """Send the events of stream records to the queue; return the first record that has to come again."""
    first = deliveries.publish_events().publish(deliveries.records_of(event))
    if first is None:
        return {"batchItemFailures": []}
    logger.warning("records of the stream come again", first=first)
    return {"batchItemFailures": [{"itemIdentifier": first}]}


def deliver(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Do what the messages ask for; return those that must come again."""
    outcomes = deliveries.deliver_events().deliver([received(record) for record in records])
    for outcome in outcomes:
        report(outcome)
    return {"batchItemFailures": [{"itemIdentifier": each.message_id} for each in outcomes if not each.done]}


def sweep() -> dict[str, Any]:
    """Send the messages of attempts that are due, and say how long the oldest one is overdue."""
    swept = deliveries.sweep_deliveries().sweep()
    metrics.add_metric(name=OLDEST, unit=MetricUnit.Seconds, value=swept.oldest_seconds)
    logger.info("deliveries swept", extra=asdict(swept))
    return asdict(swept)


def received(record: Mapping[str, Any]) -> Received:
    """Return a delivery of the queue; what a record lacks is a defect of its message."""
    count = str(record.get("attributes", {}).get("ApproximateReceiveCount", ""))
    return Received(
        message_id=str(record.get("messageId", "")),
        receipt_handle=str(record.get("receiptHandle", "")),
        body=str(record.get("body", "")),
        lane=Priority.NORMAL,
        receive_count=int(count) if count.isdecimal() else 1,
    )


def report(outcome: Outcome) -> None:
    """Log what went wrong with a message; of a fault that nobody foresaw with its trace."""
    problem = outcome.problem
    if problem is None:
        return
    log = logger.error if outcome.done else logger.warning
    cause = problem.__cause__ if isinstance(problem, UnexpectedFault) else None
    what = "message given up" if outcome.done else "message postponed"
    log(what, message_id=outcome.message_id, code=problem.code, detail=problem.detail, exc_info=cause)


parts.make_at_init(deliveries.publish_events, deliveries.deliver_events, deliveries.sweep_deliveries)
