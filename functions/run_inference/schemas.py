"""What a direct invocation may ask."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class PredictRequest(BaseModel):
    """One prediction, before a deadline."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["predict"]
    stage: str
    match_id: str | None = None
    features: dict[str, Any] | None = None
    deadline: datetime | None = None


class ModelInfoRequest(BaseModel):
    """What is known of the model that a stage serves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["model_info"]
    stage: str


class TaskRequest(BaseModel):
    """One task, by its message, whose asker waits; its final state is written whoever waits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["task"]
    message: str


AnyRequest = PredictRequest | TaskRequest | ModelInfoRequest
DirectRequest: TypeAdapter[AnyRequest] = TypeAdapter(Annotated[AnyRequest, Field(discriminator="kind")])
