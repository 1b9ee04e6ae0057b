"""Route of submit_prediction."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.submit_prediction.schemas import SubmitRequest
from matchcast.bootstrap import parts, tasks
from matchcast.http.api import Api, serve
from matchcast.http.contract import WRITE, answers
from matchcast.http.envelope import TaskEnvelope, accepted
from matchcast.http.idempotency import Key, idempotency_key

api = Api()


@api.post("/predict/async/", security=WRITE, responses=answers(202, 400, 403, 404, 429, 503, model=TaskEnvelope))
def submit(body: SubmitRequest, key: Key = None) -> Response[TaskEnvelope]:
    """Accept a prediction for later and say where to ask for it."""
    once = idempotency_key(key, "POST /predict/async/", body.model_dump(mode="json"))
    task, _ = tasks.submit_prediction()(api.tenant(parts.tenant_claim()), body.submission(), once)
    return accepted(task, parts.lane_speed().retry_after(task.priority))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP request."""
    return serve(api, event, context)
