"""Messages between functions: the queue message of a task, and the direct invocations of run_inference.

The queue message, version 1, carries the whole task, so that a result never needs the record. The version rises
when a reader of the old version could not do the right thing with a new message. A reader refuses versions that
it does not know: such a message goes to the dead letters and is not lost.

A direct invocation is one of three requests, distinguished by `kind`. It is answered by `prediction` or `model`, or by
`problem`: an error of the product is an answer too, because an exception would reach the caller without its code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from matchcast.domain.prediction import Prediction, Subject
from matchcast.domain.signature import Signature
from matchcast.domain.task import Task
from matchcast.errors import FieldError, InferenceUnavailable, InvalidMessage, MatchcastError

VERSION = 1
TOO_LATE = "The prediction did not finish in time; ask again, or submit it to /predict/async/."
_STATE = {"status", "result", "error", "attempts", "completed_at"}


def encode(task: Task) -> str:
    """Return the message body for a task: its request and lifetime, without its state."""
    return json.dumps(
        {"version": VERSION, **task.model_dump(mode="json", exclude=_STATE, exclude_none=True)},
        separators=(",", ":"),
    )


def decode(body: str) -> Task:
    """Return the queued task that a message body carries.

    Raises
    ------
    InvalidMessage
        If the body is not a JSON object, has another version, or lacks fields.
    """
    try:
        content: Any = json.loads(body)
    except ValueError as error:
        raise InvalidMessage("The message is not JSON.") from error
    if not isinstance(content, dict):
        raise InvalidMessage("The message is not a JSON object.")
    version = content.pop("version", None)
    if version != VERSION:
        raise InvalidMessage(f"The message has version {version!r}; this code reads version {VERSION}.")
    try:
        return Task.model_validate({key: value for key, value in content.items() if key not in _STATE})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidMessage(f"The message's field '{where}' is wrong: {first['msg']}") from error


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class PredictRequest(_Message):
    """One prediction, before a deadline."""

    kind: Literal["predict"] = "predict"
    stage: str
    match_id: str | None = None
    features: dict[str, Any] | None = None
    deadline: datetime | None = None

    @property
    def subject(self) -> Subject:
        """Return what to predict."""
        return Subject(self.match_id, self.features)


class TaskRequest(_Message):
    """One task, by its queue message, while its client waits; the final state is written in any case."""

    kind: Literal["task"] = "task"
    message: str


class ModelInfoRequest(_Message):
    """What is known of the model that a stage serves."""

    kind: Literal["model_info"] = "model_info"
    stage: str


AnyRequest = PredictRequest | TaskRequest | ModelInfoRequest
DirectRequest: TypeAdapter[AnyRequest] = TypeAdapter(Annotated[AnyRequest, Field(discriminator="kind")])


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


class PredictionAnswer(BaseModel):
    """The answer to a PredictRequest or a TaskRequest."""

    prediction: Prediction


class ModelInfoAnswer(BaseModel):
    """The answer to a ModelInfoRequest."""

    model: ModelInfo


class DirectProblem(BaseModel):
    """An error of the product as it crosses an invocation."""

    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    more_errors: int | None = None

    def error(self) -> MatchcastError:
        """Return the error; one of a code that this version does not know is an InferenceUnavailable."""
        kind = next((kind for kind in _kinds(MatchcastError) if kind.code == self.code), InferenceUnavailable)
        found = kind(self.detail, self.errors)
        found.more_errors = self.more_errors or 0
        return found


class ProblemAnswer(BaseModel):
    """The answer to any request that failed."""

    problem: DirectProblem

    @classmethod
    def of(cls, error: MatchcastError) -> ProblemAnswer:
        """Return the answer that reports an error."""
        return cls(
            problem=DirectProblem(
                code=error.code, detail=error.detail, errors=error.errors, more_errors=error.more_errors or None
            )
        )


def _kinds(base: type[MatchcastError]) -> Iterator[type[MatchcastError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)
