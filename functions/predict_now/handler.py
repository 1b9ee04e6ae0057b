"""Routes of predict_now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Query

from matchcast.bootstrap import http, parts, predictions, table, tasks
from matchcast.deadline import within
from matchcast.domain.prediction import Prediction, Subject
from matchcast.errors import (
    DeadlineExceeded,
    InferenceUnavailable,
    ModelFailed,
    ReleaseUnfit,
    ScopeMissing,
    StageNotFound,
    WaitOver,
)
from matchcast.http.api import Api, serve
from matchcast.http.bodies import RequestBody
from matchcast.http.contract import ACCEPTING, MODEL, READ, READ_OR_WRITE, SNAPSHOT, Features, StageName, answers
from matchcast.http.envelope import TaskEnvelope, accepted
from matchcast.http.events import arrived
from matchcast.http.idempotency import Key, idempotency_key
from matchcast.http.prefer import Preference, parse_prefer
from matchcast.http.tokens import demand_write_scope
from matchcast.messages import ModelInfo
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

ACCEPT_TIME = timedelta(seconds=5)
"""How long a task may take to be accepted, however short the client wants to wait for its result."""

api = Api(http.settings)
OF_INFERENCE = (StageNotFound, *MODEL, *SNAPSHOT, InferenceUnavailable, DeadlineExceeded)
ERRORS = dict.fromkeys((*ACCEPTING, *OF_INFERENCE, ModelFailed, ReleaseUnfit, ScopeMissing))
ANSWERS = answers(200, *ERRORS, model=Prediction) | answers(202, model=TaskEnvelope)


@api.get("/predict/model/info", security=READ, responses=answers(200, *OF_INFERENCE))
def model_info(stage: Stage = "champion") -> ModelInfo:
    """Return name, version, signature and metrics of the model that a stage serves.

    `signature` names the features that POST /predict/ and POST /predict/async/ take for this stage.
    """
    return predictions.predict_now().model_info(stage, Limits(Preference()).deadline)


@api.get("/predict/<match_id>", security=READ_OR_WRITE, responses=ANSWERS)
def predict_match(match_id: str, stage: Stage = "champion", prefer: Prefer = None) -> Response[Any]:
    """Predict a match of the snapshot on demand.

    The features are those of the present snapshot. The answer is there within 28 seconds, or it is a 504; with
    `Prefer: respond-async` it may be a task instead.
    """
    return respond(stage, Subject.of_match(match_id), prefer, lambda: None)


@api.post("/predict/", security=READ_OR_WRITE, responses=ANSWERS)
def predict_features(body: FeaturesRequest, prefer: Prefer = None, key: Key = None) -> Response[Any]:
    """Predict from the caller's own features on demand.

    The features are checked against the signature of the stage's model: a 422 names each one that does not fit.
    """
    content = {"stage": body.stage, "features": body.features}
    return respond(
        body.stage, Subject(features=body.features), prefer, lambda: idempotency_key(key, "POST /predict/", content)
    )


def respond(
    stage: str, subject: Subject, prefer: str | None, key: Callable[[], IdempotencyKey | None]
) -> Response[Any]:
    """Answer with a prediction, or with a task where the client prefers one."""
    preference, on_demand = parse_prefer(prefer), predictions.predict_now()
    limits = Limits(preference)
    with within(limits.seconds):
        if on_demand.has_stage(stage):
            api.asked.stage = stage
        once = key()
        if not preference.respond_async:
            return Response(200, body=predict(stage, subject, limits), headers=dict(preference.headers))
        demand_write_scope(api.claims)
        result, is_new = on_demand.predict_or_submit(api.tenant, stage, subject, wait_until=limits.wait_until, key=once)
    api.asked.became_task(is_new=is_new)
    if isinstance(result, Prediction):
        return Response(200, body=result, headers=dict(preference.headers))
    return accepted(result, table.lane_speed().retry_after(result.priority), preference.headers)


def predict(stage: str, subject: Subject, limits: Limits) -> Prediction:
    """Return a prediction in time.

    Raises
    ------
    WaitOver
        If the client did not want to wait as long as the service may take.
    """
    try:
        return predictions.predict_now().predict(stage, subject, limits.answer_by)
    except DeadlineExceeded as error:
        if limits.answer_by < limits.deadline:
            raise WaitOver(error.detail) from error
        raise


class Limits:
    """Until when what of the running request may take: its answer, and the client's wait for a prediction.

    Counted from the request's arrival at the gateway, but the time to accept a task: that from here, or a slow start
    (and a clock that is wrong) would leave none of it. The limit of the whole request is nearer where that is.
    """

    def __init__(self, preference: Preference) -> None:
        now = parts.now()
        taken = arrived(api.current_event.raw_event, now)
        self.deadline = taken + predictions.sync_deadline()
        wait_over = None if preference.wait is None else min(self.deadline, taken + preference.wait)
        self.wait_until = wait_over if preference.wait else None
        self.answer_by = wait_over or self.deadline
        if preference.respond_async:
            self.answer_by = max(wait_over or now, now + ACCEPT_TIME)
        self.seconds = (self.answer_by - now).total_seconds()


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
