"""Entry of split_batch: a message of the queue of batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matchcast.bootstrap import batch_work, parts
from matchcast.domain.task import Priority
from matchcast.errors import UnexpectedFault
from matchcast.observability import MetricUnit, flushed_metrics, logger, metrics
from matchcast.ports import Received
from matchcast.tasks.settle import Outcome

POSTPONED = "batch_messages_postponed_total"
"""What an alarm watches: a message that comes again later is not visible in its queue, and no error to Lambda."""


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Do what the messages ask for, and return those that must come again."""
    again = []
    with flushed_metrics():
        for record in event["Records"]:
            outcome = batch_work.attend_batches().attend(received(record))
            report(outcome)
            if not outcome.done:
                metrics.add_metric(name=POSTPONED, unit=MetricUnit.Count, value=1)
                again.append({"itemIdentifier": outcome.message_id})
    return {"batchItemFailures": again}


def received(record: Mapping[str, Any]) -> Received:
    """Return a delivery; what a record lacks is a defect of its message."""
    count = str(record.get("attributes", {}).get("ApproximateReceiveCount", ""))
    return Received(
        message_id=str(record.get("messageId", "")),
        receipt_handle=str(record.get("receiptHandle", "")),
        body=str(record.get("body", "")),
        lane=Priority.NORMAL,
        receive_count=int(count) if count.isdecimal() else 1,
    )


def report(outcome: Outcome) -> None:
    """Log what became of a message; of a fault that nobody foresaw with its trace."""
    problem = outcome.problem
    if problem is None:
        logger.info("message finished", message_id=outcome.message_id)
        return
    log = logger.error if outcome.done else logger.warning
    cause = problem.__cause__ if isinstance(problem, UnexpectedFault) else None
    what = "message given up" if outcome.done else "message postponed"
    log(what, message_id=outcome.message_id, code=problem.code, detail=problem.detail, exc_info=cause)


parts.make_at_init(batch_work.attend_batches)
