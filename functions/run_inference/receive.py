"""A receive of queue messages: from SQS records to the partial batch response."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from matchcast import bootstrap
from matchcast.domain.task import utc_now
from matchcast.observability import MetricUnit, count_requests, logger, metrics
from matchcast.use_cases.run_predictions import Outcome, Received


def predict_receive(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Predict a receive and return the messages that must come again."""
    lanes = bootstrap.lanes_by_queue_name()
    outcomes = bootstrap.run_predictions()(
        [
            Received(
                message_id=record["messageId"],
                receipt_handle=record["receiptHandle"],
                body=record["body"],
                lane=lanes[record["eventSourceARN"].rsplit(":", 1)[-1]],
                receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
            )
            for record in records
        ]
    )
    _report(outcomes)
    return {"batchItemFailures": [{"itemIdentifier": o.message_id} for o in outcomes if not o.done]}


def _report(outcomes: Sequence[Outcome]) -> None:
    """Log one line a receive, count what ended, and tell the lanes how long it took."""
    now = utc_now()
    ended = [outcome.task for outcome in outcomes if outcome.task is not None]
    for task in ended:
        seconds = (now - task.created_at).total_seconds()
        bootstrap.lane_speed().observe(task.priority, seconds)
        metrics.add_metric(name="queue_wait_seconds", unit=MetricUnit.Seconds, value=seconds)
    for (stage, status), count in Counter((task.stage, task.status) for task in ended).items():
        count_requests("async", stage, status, count)
    again = sum(not outcome.done for outcome in outcomes)
    logger.info("receive finished", messages=len(outcomes), ended=len(ended), again=again)
