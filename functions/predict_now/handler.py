"""Routes of predict_now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Query

from matchcast.bootstrap import http, parts, predictions, table, tasks
from matchcast.domain.prediction import Prediction, Subject
from matchcast.domain.task import Task
from matchcast.errors import (
    DeadlineExceeded,
    InferenceUnavailable,
    MatchcastError,
    ModelFailed,
    ScopeMissing,
    StageNotFound,
    WaitOver,
)
from matchcast.http.api import Api, serve
from matchcast.http.bodies import RequestBody
from matchcast.http.contract import ACCEPTING, MODEL, READ, READ_OR_WRITE, SNAPSHOT, Features, StageName, answers
from matchcast.http.envelope import TaskEnvelope, accepted
from matchcast.http.idempotency import Key, idempotency_key
from matchcast.http.prefer import Preference, parse_prefer
from matchcast.http.tokens import demand_write_scope
from matchcast.messages import ModelInfo
from matchcast.observability import count_requests, outcome_of
from matchcast.tasks.accept import IdempotencyKey

Prefer = Annotated[
    str | None,
    Header(
        description=(
            "`respond-async`: make it a task at once. `wait=N, respond-async`: wait N seconds (at most 28), then make "
            "it a task. `wait=N`: wait no longer. A task needs the scope predictions/write."
        ),
        examples=["wait=5, respond-async"],
    ),
]


class FeaturesRequest(RequestBody):
    """A prediction from the caller's own features, by the names in the signature of the stage's model."""

    features: Features
    stage: StageName = "champion"


Stage = Annotated[
    str,
    Query(
        min_length=1,
        max_length=255,
        description="The stage (a model alias) whose model answers.",
        examples=["champion"],
    ),
]

api = Api(http.settings)
OF_INFERENCE = (StageNotFound, *MODEL, *SNAPSHOT, InferenceUnavailable, DeadlineExceeded)
ERRORS = dict.fromkeys((*ACCEPTING, *OF_INFERENCE, ModelFailed, ScopeMissing))
ANSWERS = answers(200, *ERRORS, model=Prediction) | answers(202, model=TaskEnvelope)


@api.get("/predict/model/info", security=READ, responses=answers(200, *OF_INFERENCE))
def model_info(stage: Stage = "champion") -> ModelInfo:
    """Return name, version, signature and metrics of the model that a stage serves.

    `signature` names the features that POST /predict/ and POST /predict/async/ take for this stage.
    """
    return predictions.predict_now().model_info(stage, deadline())


@api.get("/predict/<match_id>", security=READ_OR_WRITE, responses=ANSWERS)
def predict_match(match_id: str, stage: Stage = "champion", prefer: Prefer = None) -> Response[Any]:
    """Predict a match of the snapshot on demand.

    The features are those of the present snapshot. The answer is there within 28 seconds, or it is a 504; with
    `Prefer: respond-async` it may be a task instead.
    """
    return respond(stage, Subject.of_match(match_id), prefer, key=None)


@api.post("/predict/", security=READ_OR_WRITE, responses=ANSWERS)
def predict_features(body: FeaturesRequest, prefer: Prefer = None, key: Key = None) -> Response[Any]:
    """Predict from the caller's own features on demand.

    The features are checked against the signature of the stage's model: a 422 names each one that does not fit.
    """
    content = {"stage": body.stage, "features": body.features}
    once = idempotency_key(key, "POST /predict/", content)
    return respond(body.stage, Subject(features=body.features), prefer, once)


def respond(stage: str, subject: Subject, prefer: str | None, key: IdempotencyKey | None) -> Response[Any]:
    """Answer with a prediction, or with a task where the client prefers one; count how the request ended.

    The stage is counted only where it is known to be one, for every value of a dimension costs money.
    """
    counted, outcome = "unknown", "failed"
    try:
        result, headers = predict(stage, subject, parse_prefer(prefer), key)
        counted, outcome = stage, "succeeded" if isinstance(result, Prediction) else "accepted"
    except MatchcastError as error:
        outcome = outcome_of(error)
        raise
    finally:
        count_requests("sync", counted, outcome)
    if isinstance(result, Prediction):
        return Response(200, body=result, headers=dict(headers))
    return accepted(result, table.lane_speed().retry_after(result.priority), headers)


def predict(
    stage: str, subject: Subject, preference: Preference, key: IdempotencyKey | None
) -> tuple[Prediction | Task, Mapping[str, str]]:
    """Return a prediction, or a task where the client prefers one, and the headers that say which preference counted.

    Raises
    ------
    WaitOver
        If the client did not want to wait as long as the service may take.
    """
    on_demand = predictions.predict_now()
    if preference.respond_async:
        demand_write_scope(api.claims)
        wait, until = preference.wait, deadline()
        result = on_demand.predict_or_submit(api.tenant, stage, subject, wait=wait, deadline=until, key=key)
        return result, preference.headers
    until = deadline() if preference.wait is None else min(deadline(), arrived() + preference.wait)
    try:
        return on_demand.predict(stage, subject, until), preference.headers
    except DeadlineExceeded as error:
        if until < deadline():
            raise WaitOver(error.detail) from error
        raise


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


parts.make_at_init(
    predictions.predict_now,
    predictions.sync_deadline,
    tasks.submit_prediction,
    table.lane_speed,
    http.settings,
)
