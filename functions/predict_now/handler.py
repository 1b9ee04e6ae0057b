"""Routes of predict_now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.predict_now.schemas import FeaturesRequest, ModelInfo, Prefer, Stage
from matchcast.bootstrap import parts, predictions
from matchcast.domain.prediction import Prediction
from matchcast.http.api import Api, serve
from matchcast.http.contract import READ, READ_OR_WRITE, answers
from matchcast.http.envelope import TaskEnvelope, accepted
from matchcast.http.idempotency import Key, idempotency_key
from matchcast.http.prefer import demand_write_scope, parse_prefer
from matchcast.predictions.predict_now import Question
from matchcast.tasks.accept import IdempotencyKey

api = Api()
ANSWERS = answers(200, model=Prediction) | answers(202, 400, 403, 404, 429, 503, 504, model=TaskEnvelope)


@api.get("/predict/model/info", security=READ, responses=answers(200, 404, 503, 504))
def model_info(stage: Stage = "champion") -> ModelInfo:
    """Return name, version, signature and metrics of the model that a stage serves."""
    return ModelInfo.model_validate(predictions.predict_now().model_info(stage, deadline()))


@api.get("/predict/<match_id>", security=READ_OR_WRITE, responses=ANSWERS)
def predict_match(match_id: str, stage: Stage = "champion", prefer: Prefer = None) -> Response[Any]:
    """Predict a match of the snapshot on demand."""
    return respond(Question(stage, match_id=match_id), prefer, key=None)


@api.post("/predict/", security=READ_OR_WRITE, responses=ANSWERS)
def predict_features(
    body: FeaturesRequest,
    prefer: Prefer = None,
    key: Key = None,
) -> Response[Any]:
    """Predict from the caller's own features on demand."""
    content = {"stage": body.stage, "features": body.features}
    return respond(
        Question(body.stage, features=body.features), prefer, idempotency_key(key, "POST /predict/", content)
    )


def respond(question: Question, prefer: str | None, key: IdempotencyKey | None) -> Response[Any]:
    """Answer with a prediction, or with a task where the client prefers one."""
    preference, predict = parse_prefer(prefer), predictions.predict_now()
    if not preference.respond_async:
        by = deadline() if preference.wait is None else min(deadline(), arrived() + preference.wait)
        return Response(200, body=predict(question, by), headers=dict(preference.headers))
    demand_write_scope(api)
    tenant = api.tenant(parts.tenant_claim())
    if preference.wait is None:
        result: Any = predict.as_task(tenant, question, key)
    else:
        result = predict.predict_or_submit(tenant, question, preference.wait, deadline(), key)
    if isinstance(result, Prediction):
        return Response(200, body=result, headers=dict(preference.headers))
    return accepted(result, parts.lane_speed().retry_after(result.priority), preference.headers)


def arrived() -> datetime:
    """Return when the gateway took the request; never later than now, whatever its clock says."""
    taken = datetime.fromtimestamp(api.current_event.request_context.time_epoch / 1000, UTC)
    return min(taken, parts.now())


def deadline() -> datetime:
    """Return when this request has to be answered: counted from its arrival at the gateway, not here."""
    return arrived() + predictions.sync_deadline()


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP request."""
    return serve(api, event, context)
