"""Direct questions: one prediction, one task, or what is known of a stage's model."""

from __future__ import annotations

from typing import Any

from functions.run_inference.schemas import AnyRequest, ModelInfoRequest, PredictRequest, TaskRequest
from matchcast.adapters.lambda_inference import TOO_LATE, problem_of
from matchcast.bootstrap import inference
from matchcast.domain.prediction import Prediction
from matchcast.domain.task import utc_now
from matchcast.errors import DeadlineExceeded, MatchcastError, ModelUnavailable, ReleaseRefused
from matchcast.messages import decode
from matchcast.observability import MetricUnit, logger, metrics
from matchcast.predictions.predictor import Ask


def answer(request: AnyRequest) -> dict[str, Any]:
    """Return the answer, or the problem under `problem`: an error is an answer here, not a crash."""
    try:
        match request:
            case ModelInfoRequest():
                return {"model": model_info(request.stage)}
            case TaskRequest():
                return {"prediction": run_task(request)}
            case _:
                return {"prediction": predict(request)}
    except MatchcastError as error:
        logger.warning("direct request failed", code=error.code, detail=error.detail)
        return {"problem": problem_of(error)}


def predict(request: PredictRequest) -> dict[str, Any]:
    """Return one prediction; past the deadline nobody waits for it any more, so it is not made."""
    if request.deadline is not None and utc_now() >= request.deadline:
        raise DeadlineExceeded(TOO_LATE)
    ask = Ask(request.match_id, request.features)
    return measured(inference.predictor().predict_one(request.stage, ask))


def run_task(request: TaskRequest) -> dict[str, Any]:
    """Return the prediction of a task after its final state was written."""
    result = inference.run_predictions().run_task(decode(request.message))
    if isinstance(result, MatchcastError):
        raise result
    return measured(result)


def measured(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction as JSON, and add its duration to the metrics."""
    seconds = prediction.duration_ms / 1000
    metrics.add_metric(name="prediction_duration_seconds", unit=MetricUnit.Seconds, value=seconds)
    return prediction.model_dump(mode="json")


def model_info(stage: str) -> dict[str, Any]:
    """Return name, version, run, signature, metrics and load time of the model that a stage serves."""
    try:
        loaded = inference.served_models().get(stage)
    except ReleaseRefused as error:
        raise ModelUnavailable(error.detail) from error
    published, predictor = loaded.published, inference.predictor()
    snapshot_id, problem = predictor.snapshot_id, predictor.problem_of(stage)
    return {
        **published.ref(stage).model_dump(),
        "runtime": published.runtime,
        "signature": published.signature.model_dump(mode="json"),
        "metrics": published.metrics,
        "trained_until": published.trained_until.isoformat() if published.trained_until else None,
        "loaded_at": loaded.loaded_at.isoformat().replace("+00:00", "Z"),
        "snapshot_id": snapshot_id,
        "problem": {"code": problem.code, "detail": problem.public_detail} if problem else None,
    }
