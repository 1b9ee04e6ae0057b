"""Entry of run_inference: a receive from a queue, or a direct request of another function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from matchcast.bootstrap import inference, parts, table
from matchcast.domain.prediction import Prediction
from matchcast.domain.task import Priority, utc_now
from matchcast.errors import DeadlineExceeded, MatchcastError, ModelUnavailable, ReleaseRefused
from matchcast.messages import (
    TOO_LATE,
    AnyRequest,
    DirectRequest,
    ModelInfo,
    ModelInfoAnswer,
    ModelInfoRequest,
    PredictionAnswer,
    PredictRequest,
    ProblemAnswer,
    ReleaseProblem,
    TaskRequest,
    decode,
)
from matchcast.observability import MetricUnit, count_requests, flushed_metrics, logger, metrics
from matchcast.ports import Received
from matchcast.tasks.run import Outcome


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return the failures of a receive, or the answer to a direct request."""
    with flushed_metrics():
        if "Records" in event:
            return predict_receive(event["Records"], context.get_remaining_time_in_millis)
        return answer(DirectRequest.validate_python(event))


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
    outcomes = inference.run_predictions().run(receive)
    report(outcomes)
    again = [outcome.message_id for outcome in outcomes if not outcome.done]
    if not again and all(received.lane is Priority.NORMAL for received in receive):
        helped = inference.help_high_lane().help(lambda: milliseconds_left() > half)
        if helped:
            report(helped)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}


def report(outcomes: Sequence[Outcome]) -> None:
    """Log one line a receive, count the tasks that ended, and publish how long they took in their lanes."""
    now = utc_now()
    ended = [outcome.task for outcome in outcomes if outcome.task is not None]
    for task in ended:
        seconds = (now - task.created_at).total_seconds()
        table.lane_speed().observe(task.priority, seconds)
        metrics.add_metric(name="queue_wait_seconds", unit=MetricUnit.Seconds, value=seconds)
    for (stage, status), count in Counter((task.stage, task.status) for task in ended).items():
        count_requests("async", stage, status, count)
    again = sum(not outcome.done for outcome in outcomes)
    logger.info("receive finished", messages=len(outcomes), ended=len(ended), again=again)


def answer(request: AnyRequest) -> dict[str, Any]:
    """Return the answer to a direct request; an error of the product is an answer too, and no crash."""
    try:
        match request:
            case ModelInfoRequest():
                return ModelInfoAnswer(model=model_info(request.stage)).model_dump(mode="json")
            case TaskRequest():
                prediction = run_task(request)
            case PredictRequest():
                prediction = predict(request)
    except MatchcastError as error:
        logger.warning("direct request failed", code=error.code, detail=error.detail)
        return ProblemAnswer.of(error).model_dump(mode="json", exclude_none=True)
    seconds = prediction.duration_ms / 1000
    metrics.add_metric(name="prediction_duration_seconds", unit=MetricUnit.Seconds, value=seconds)
    return PredictionAnswer(prediction=prediction).model_dump(mode="json")


def predict(request: PredictRequest) -> Prediction:
    """Return one prediction; past the deadline its client is gone, so it is not computed."""
    if request.deadline is not None and utc_now() >= request.deadline:
        raise DeadlineExceeded(TOO_LATE)
    return inference.predictor().predict_one(request.stage, request.subject)


def run_task(request: TaskRequest) -> Prediction:
    """Return the prediction of a task after its final state was written."""
    result = inference.run_predictions().run_task(decode(request.message))
    if isinstance(result, MatchcastError):
        raise result
    return result


def model_info(stage: str) -> ModelInfo:
    """Return what is known of the model that a stage serves."""
    try:
        loaded = inference.served_models().get(stage)
    except ReleaseRefused as error:
        raise ModelUnavailable(error.detail) from error
    published, predictor = loaded.published, inference.predictor()
    snapshot_id, problem = predictor.snapshot_id, predictor.problem_of(stage)
    return ModelInfo(
        **published.ref(stage).model_dump(),
        runtime=published.runtime,
        signature=published.signature,
        metrics=dict(published.metrics),
        trained_until=published.trained_until,
        loaded_at=loaded.loaded_at,
        snapshot_id=snapshot_id,
        problem=ReleaseProblem(code=problem.code, detail=problem.public_detail) if problem else None,
    )


parts.make_at_init(inference.help_high_lane, inference.lanes_by_queue_name, table.lane_speed)
