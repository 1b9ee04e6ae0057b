"""Requests and answers of predict_now."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Header, Query
from pydantic import BaseModel, ConfigDict, Field

from matchcast.domain.signature import Signature

Stage = Annotated[str, Query(description="The stage (a model alias) whose model answers.", examples=["champion"])]

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


class FeaturesRequest(BaseModel):
    """The caller's own features, by the names in the signature of the stage's model."""

    model_config = ConfigDict(extra="forbid")

    features: dict[str, Any] = Field(
        description="Feature name to number, boolean or null, as `signature` of GET /predict/model/info says."
    )
    stage: str = Field(default="champion", description="The stage (a model alias) whose model answers.")


class ReleaseProblem(BaseModel):
    """Why a newer release is not the one that answers."""

    code: str
    detail: str


class ModelInfo(BaseModel):
    """The model that a stage serves."""

    model_config = ConfigDict(protected_namespaces=())

    name: str
    version: str
    run_id: str
    stage: str
    runtime: str = Field(description="What runs the model: onnx or pyfunc.")
    signature: Signature
    metrics: dict[str, float] = Field(description="What the training run measured.")
    trained_until: date | None = Field(description="The last match day that the model has seen.")
    loaded_at: datetime = Field(description="When the answering environment loaded it.")
    snapshot_id: str = Field(description="The snapshot whose features it reads.")
    problem: ReleaseProblem | None = Field(
        default=None, description="What is wrong with a newer release of the stage, where there is one."
    )
