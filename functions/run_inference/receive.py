"""A receive of queue messages: from SQS records to the partial batch response."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from matchcast.bootstrap import inference, parts
from matchcast.domain.task import Priority, utc_now
from matchcast.observability import MetricUnit, count_requests, logger, metrics
from matchcast.ports import Received
from matchcast.tasks.run import Outcome


def predict_receive(records: Sequence[dict[str, Any]], milliseconds_left: Callable[[], int]) -> dict[str, Any]:
    """Predict a receive and return the messages that must come again.

    A receive of the normal lane that went well leaves up to half of the invocation's time for the high lane.
    """
    half = milliseconds_left() / 2
    lanes = inference.lanes_by_queue_name()
    receive = [
        Received(
            message_id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            body=record["body"],
            lane=lanes[record["eventSourceARN"].rsplit(":", 1)[-1]],
            receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
        )
        for record in records
    ]
    outcomes = inference.run_predictions()(receive)
    _report(outcomes)
    again = [outcome.message_id for outcome in outcomes if not outcome.done]
    if not again and all(received.lane is Priority.NORMAL for received in receive):
        helped = inference.help_high_lane()(lambda: milliseconds_left() > half)
        if helped:
            _report(helped)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}


def _report(outcomes: Sequence[Outcome]) -> None:
    """Log one line a receive, count what ended, and tell the lanes how long it took."""
    now = utc_now()
    ended = [outcome.task for outcome in outcomes if outcome.task is not None]
    for task in ended:
        seconds = (now - task.created_at).total_seconds()
        parts.lane_speed().observe(task.priority, seconds)
        metrics.add_metric(name="queue_wait_seconds", unit=MetricUnit.Seconds, value=seconds)
    for (stage, status), count in Counter((task.stage, task.status) for task in ended).items():
        count_requests("async", stage, status, count)
    again = sum(not outcome.done for outcome in outcomes)
    logger.info("receive finished", messages=len(outcomes), ended=len(ended), again=again)
