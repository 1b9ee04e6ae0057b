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
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

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


_Id = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
_Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$", min_length=1)]
_Time = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))]


class _Name(BaseModel):
    task_id: _Id
    generation: Annotated[int, Field(ge=0, lt=10**6)] = 0


class _Bounds(_Name):
    """What a task of a message may be at most: more than any client can submit, and no more than the table takes."""

    tenant: Annotated[str, Field(min_length=1, max_length=500)]
    match_id: Annotated[_Line, Field(max_length=200)] | None = None
    stage: Annotated[_Line, Field(max_length=256)] = "champion"
    created_at: _Time
    start_by: _Time | None = None
    expires_at: _Time
    callback_url: Annotated[_Line, Field(max_length=4096)] | None = None
    retry_of: _Id | None = None
    batch_id: _Id | None = None


def decode(body: str) -> Task:
    """Return the queued task that a message body carries.

    Raises
    ------
    InvalidMessage
        If the body is not a JSON object, has another version, lacks fields, or has values that no task can have.
    """
    try:
        # Strict JSON: no NaN, no lone surrogate, and no nesting that ends the interpreter's stack.
        content: Any = from_json(body, allow_inf_nan=False)
    except (ValueError, TypeError) as error:
        raise InvalidMessage("The message is not JSON.") from error
    if not isinstance(content, dict):
        raise InvalidMessage("The message is not a JSON object.")
    version = content.pop("version", None)
    if version is True or version != VERSION:
        raise InvalidMessage(f"The message has version {str(version)[:40]!r}; this code reads version {VERSION}.")
    try:
        json.dumps(content.get("features"), allow_nan=False)
    except ValueError as error:
        raise InvalidMessage("The message's features hold a number that no float can hold.") from error
    try:
        _Bounds.model_validate(content)
        return Task.model_validate({key: value for key, value in content.items() if key not in _STATE})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidMessage(f"The message's field '{where}' is wrong: {first['msg']}") from error


def named_task(body: str) -> tuple[str, int] | None:
    """Return the task id and generation of a message that `decode` refuses, as far as they can be read."""
    try:
        content: Any = from_json(body)
        named = _Name.model_validate(content)
    except (ValueError, TypeError):
        return None
    return named.task_id, named.generation


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
    is_defect: bool | None = None

    def error(self) -> MatchcastError:
        """Return the error; one of a code that this version does not know is an InferenceUnavailable."""
        kind = next((kind for kind in _kinds(MatchcastError) if kind.code == self.code), InferenceUnavailable)
        found = kind(self.detail, self.errors)
        found.more_errors = self.more_errors or 0
        found.is_defect = found.is_defect or bool(self.is_defect)
        return found


class ProblemAnswer(BaseModel):
    """The answer to any request that failed."""

    problem: DirectProblem

    @classmethod
    def of(cls, error: MatchcastError) -> ProblemAnswer:
        """Return the answer that reports an error."""
        return cls(
            problem=DirectProblem(
                code=error.code,
                detail=error.detail,
                errors=error.errors,
                more_errors=error.more_errors or None,
                is_defect=error.is_defect or None,
            )
        )


def _kinds(base: type[MatchcastError]) -> Iterator[type[MatchcastError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)
