"""Entry of run_inference: a receive from a queue, or a direct request of another function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from time import perf_counter
from typing import Any

from matchcast.batch_messages import is_part
from matchcast.batches.run_parts import MODEL_SECONDS
from matchcast.bootstrap import inference, parts, table
from matchcast.domain.prediction import Prediction
from matchcast.domain.task import Priority, Task, utc_now
from matchcast.errors import DeadlineExceeded, MatchcastError, ModelUnavailable, ReleaseRefused, UnexpectedFault
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
from matchcast.observability import MetricUnit, count_task, flushed_metrics, logger, metrics
from matchcast.ports import Received
from matchcast.tasks.isolation import faults_named
from matchcast.tasks.settle import Outcome

WRITE_SECONDS = 10
"""What a receive keeps of its time for the writes that follow a slow model."""
PART_WRITE_SECONDS = 15
"""What a part of a batch keeps of the time that is left, for its writes."""


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
    started, left = utc_now(), milliseconds_left()
    half = left / 2
    receive = [received(record) for record in records]
    worker = inference.run_predictions()
    of_batches: list[Received] = []
    tasks: list[Received] = []
    for each in receive:
        (of_batches if each.lane is Priority.NORMAL and is_part(each.body) else tasks).append(each)
    outcomes = worker.run(tasks, left / 1000 - WRITE_SECONDS) if tasks else []
    # Tasks first: parts have more time, and what has none left comes again soon.
    outcomes = [*outcomes, *run_parts(of_batches, milliseconds_left)]
    report([*outcomes, *worker.ended_late()], started)
    again = [outcome.message_id for outcome in outcomes if not outcome.done]
    if not again and all(received.lane is Priority.NORMAL for received in receive):
        started = utc_now()
        helped = inference.help_high_lane().help(lambda: milliseconds_left() > half)
        if helped:
            report(helped, started)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}


def run_parts(of_batches: Sequence[Received], milliseconds_left: Callable[[], int]) -> Sequence[Outcome]:
    """Predict the parts of batches one by one while there is time, and publish how long they took.

    One may take all that is left: a model that is loaded for the first time may need it.
    """

    def seconds() -> float:
        return milliseconds_left() / 1000 - PART_WRITE_SECONDS

    outcomes: list[Outcome] = []
    for part in of_batches:
        began = perf_counter()
        outcomes += inference.run_parts().run([part], lambda: seconds() >= MODEL_SECONDS, seconds())
        if outcomes[-1].done:
            metrics.add_metric(name="part_duration_seconds", unit=MetricUnit.Seconds, value=perf_counter() - began)
    return outcomes


def received(record: Mapping[str, Any]) -> Received:
    """Return a delivery; what a record lacks is a defect of its message, and not of the others of the receive."""
    queue = str(record.get("eventSourceARN", "")).rpartition(":")[2]
    count = str(record.get("attributes", {}).get("ApproximateReceiveCount", ""))
    return Received(
        message_id=str(record.get("messageId", "")),
        receipt_handle=str(record.get("receiptHandle", "")),
        body=str(record.get("body", "")),
        lane=inference.lanes_by_queue_name().get(queue, Priority.NORMAL),
        receive_count=int(count) if count.isdecimal() else 1,
    )


def report(outcomes: Sequence[Outcome], started: datetime) -> None:
    """Log one line a receive and one for each message with a problem; count the tasks that ended, and their times."""
    ended = [outcome.task for outcome in outcomes if outcome.task is not None]
    for task in ended:
        waited, lasted = (max(0.0, (then - task.created_at).total_seconds()) for then in (started, utc_now()))
        table.lane_speed().observe(task.priority, lasted)
        metrics.add_metric(name="queue_wait_seconds", unit=MetricUnit.Seconds, value=waited)
        if task.result is not None:
            add_duration(task.result)
    for _, alike in groupby(sorted(ended, key=counted_as), key=counted_as):
        tasks = list(alike)
        count_task(tasks[0], len(tasks))
    for outcome in outcomes:
        problem = outcome.problem
        if problem is not None and outcome.done:
            # A fault that nobody foresaw with its trace; the others say enough.
            cause = problem.__cause__ if isinstance(problem, UnexpectedFault) else None
            logger.error(
                "message given up",
                message_id=outcome.message_id,
                code=problem.code,
                detail=problem.detail,
                exc_info=cause,
            )
    again = [outcome.problem for outcome in outcomes if not outcome.done]
    if again:
        metrics.add_metric(name="tasks_postponed_total", unit=MetricUnit.Count, value=len(again))
    causes = dict(Counter(problem.code for problem in again if problem is not None))
    logger.info("receive finished", messages=len(outcomes), ended=len(ended), again=len(again), causes=causes)


def counted_as(task: Task) -> tuple[str, str, str]:
    """Return what tasks share that one record counts."""
    return task.stage, task.status, task.error.code if task.error else ""


def add_duration(prediction: Prediction) -> None:
    """Publish how long the model took for a prediction."""
    seconds = prediction.duration_ms / 1000
    metrics.add_metric(name="prediction_duration_seconds", unit=MetricUnit.Seconds, value=seconds)


def answer(request: AnyRequest) -> dict[str, Any]:
    """Return the answer to a direct request; an error of the product is an answer too, and no crash."""
    try:
        with faults_named():
            match request:
                case ModelInfoRequest():
                    return ModelInfoAnswer(model=model_info(request.stage)).model_dump(mode="json")
                case TaskRequest():
                    prediction = run_task(request)
                case PredictRequest():
                    prediction = predict(request)
    except MatchcastError as error:
        # A defect is for who runs the service; of a fault that nobody foresaw the trace says where it is.
        log, cause = (logger.error, error.__cause__) if error.is_defect else (logger.warning, None)
        log("direct request failed", code=error.code, detail=error.detail, exc_info=cause)
        return ProblemAnswer.of(error).model_dump(mode="json", exclude_none=True)
    add_duration(prediction)
    return PredictionAnswer(prediction=prediction).model_dump(mode="json")


def predict(request: PredictRequest) -> Prediction:
    """Return one prediction; past the deadline its client is gone, so it is not computed."""
    if request.deadline is not None and utc_now() >= request.deadline:
        raise DeadlineExceeded(TOO_LATE)
    return inference.predictor().predict_one(request.stage, request.subject)


def run_task(request: TaskRequest) -> Prediction:
    """Return the prediction of a task after its final state was written."""
    result = inference.run_predictions().run_task(decode(request.message), count_task)
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


parts.make_at_init(inference.help_high_lane, inference.run_parts, inference.lanes_by_queue_name, table.lane_speed)
