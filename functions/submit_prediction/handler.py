"""Route of submit_prediction."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.submit_prediction.schemas import SubmitRequest
from matchcast import bootstrap
from matchcast.http.api import Api, serve
from matchcast.http.envelope import TaskEnvelope, accepted

api = Api()


@api.post("/predict/async/")
def submit(body: SubmitRequest) -> Response[TaskEnvelope]:
    """Accept a prediction for later and say where to ask for it."""
    task = bootstrap.submit_prediction()(api.tenant(bootstrap.tenant_claim()), body.submission())
    return accepted(task, bootstrap.lane_speed().retry_after(task.priority))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP request."""
    return serve(api, event, context)
