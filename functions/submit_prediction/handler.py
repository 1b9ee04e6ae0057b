"""Route of submit_prediction."""

from __future__ import annotations

from typing import Any, Self

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from matchcast.bootstrap import http, parts, table, tasks
from matchcast.domain.prediction import Subject
from matchcast.domain.task import Priority
from matchcast.http.api import Api, serve
from matchcast.http.contract import WRITE, answers
from matchcast.http.envelope import TaskEnvelope, accepted
from matchcast.http.idempotency import Key, idempotency_key
from matchcast.tasks.submit import Submission

api = Api()


class SubmitRequest(BaseModel):
    """A prediction for later: a match of the snapshot, or the caller's own features."""

    model_config = ConfigDict(
        extra="forbid",
        # What `one_subject` demands, in the words of the OpenAPI document.
        json_schema_extra={
            "oneOf": [
                {"required": ["match_id"], "properties": {"match_id": {"type": "string"}}},
                {"required": ["features"], "properties": {"features": {"type": "object"}}},
            ]
        },
    )

    match_id: str | None = Field(default=None, description="A match of the snapshot.")
    features: dict[str, Any] | None = Field(
        default=None, description="The caller's own features, in place of `match_id`."
    )
    stage: str = Field(default="champion", description="The stage (a model alias) whose model answers.")
    priority: Priority = Field(default=Priority.NORMAL, description="The lane that the task waits in.")
    start_within: int | None = Field(
        default=None, ge=1, description="Seconds; a task that is not started by then is `expired`."
    )

    @model_validator(mode="after")
    def one_subject(self) -> Self:
        """Demand either a match or features."""
        self.submission()
        return self

    def submission(self) -> Submission:
        """Return what the use case takes."""
        return Submission(Subject(self.match_id, self.features), self.stage, self.priority, self.start_within)


@api.post("/predict/async/", security=WRITE, responses=answers(202, 400, 403, 404, 429, 503, model=TaskEnvelope))
def submit(body: SubmitRequest, key: Key = None) -> Response[TaskEnvelope]:
    """Accept a prediction for later and say where to ask for it."""
    once = idempotency_key(key, "POST /predict/async/", body.model_dump(mode="json"))
    task, _ = tasks.submit_prediction().submit(api.tenant(http.tenant_claim()), body.submission(), once)
    return accepted(task, table.lane_speed().retry_after(task.priority))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP request."""
    return serve(api, event, context)


parts.make_at_init(tasks.submit_prediction, table.lane_speed, http.tenant_claim)
