"""Messages of batches: what is to be done next with one, on the queue `batches`, and one part on the normal lane.

Every message can come twice, late, or after its work was done; the records say what is still to do.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from matchcast.errors import InvalidMessage

QUEUE = "batches"
"""The name of the queue of batches, beside those of the lanes."""
PART_VERSION = 2
"""The version of a part's message on the lane of tasks, whose messages have version 1."""
BATCH_VERSION = 1

_Id = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
_Tenant = Annotated[str, Field(min_length=1, max_length=500)]
_Number = Annotated[int, Field(ge=0, lt=10**6)]


class BatchName(BaseModel):
    """Which batch a message is about, and in which generation of it."""

    model_config = ConfigDict(frozen=True, strict=True)

    batch_id: _Id
    generation: _Number = 0


class _Message(BatchName):
    model_config = ConfigDict(extra="forbid")

    tenant: _Tenant


class SplitBatch(_Message):
    """Split the input into parts; in a later generation, run the parts with failed rows again."""

    version: Literal[1] = 1
    kind: Literal["split"] = "split"


class JoinBatch(_Message):
    """Join the files of the parts, if all have ended or the batch is being cancelled."""

    version: Literal[1] = 1
    kind: Literal["join"] = "join"


class LosePart(_Message):
    """End a part whose message the queue has given up: its rows fail."""

    version: Literal[1] = 1
    kind: Literal["lose"] = "lose"
    position: _Number
    number: _Number
    cause: str = "dead-lettered"


class RunPart(_Message):
    """Predict the rows of one part, the one at `position` of those that this generation runs."""

    version: Literal[2] = 2
    kind: Literal["part"] = "part"
    position: _Number
    number: _Number


BatchMessage = SplitBatch | JoinBatch | LosePart
_BATCH: TypeAdapter[BatchMessage] = TypeAdapter(Annotated[BatchMessage, Field(discriminator="kind")])


def encode_message(message: BatchMessage | RunPart) -> str:
    """Return the body of a message."""
    return message.model_dump_json()


def is_part(body: str) -> bool:
    """Tell whether a message of the normal lane is a part's; any other is a task's, or nothing that can be read."""
    try:
        content: Any = from_json(body, allow_inf_nan=False)
    except (ValueError, TypeError):  # no JSON, or no text that can be encoded
        return False
    return isinstance(content, dict) and content.get("kind") == "part"


def decode_part(body: str) -> RunPart:
    """Return the part that a message of the normal lane names, or raise InvalidMessage."""
    try:
        return RunPart.model_validate_json(body)
    except ValidationError as error:
        raise _invalid(error) from error


def decode_batch_message(body: str) -> BatchMessage:
    """Return what a message of the queue of batches asks for, or raise InvalidMessage."""
    try:
        return _BATCH.validate_json(body)
    except ValidationError as error:
        raise _invalid(error) from error


def named_batch(body: str) -> BatchName | None:
    """Return the batch that a message names, also one that cannot be read otherwise."""
    try:
        return BatchName.model_validate_json(body)
    except ValidationError:
        return None


def _invalid(error: ValidationError) -> InvalidMessage:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return InvalidMessage(f"The message's field '{where}' is wrong: {first['msg']}")
