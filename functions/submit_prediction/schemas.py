"""Requests of submit_prediction."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from matchcast.domain.task import Priority
from matchcast.tasks.submit import Submission


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
        default=None, ge=1, description="Seconds; a task that nobody started by then is `expired`."
    )

    @model_validator(mode="after")
    def one_subject(self) -> Self:
        """Demand either a match or features."""
        if (self.match_id is None) == (self.features is None):
            raise ValueError("send either match_id or features")
        return self

    def submission(self) -> Submission:
        """Return what the use case takes."""
        return Submission(**dict(self))
