"""Messages of the queue `webhooks`: a new event, the next attempt of a known one, or a replay of a time range.

Every message can come twice, late, or after its work was done; the delivery records say what is still to do.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from matchcast.domain.webhook import Event
from matchcast.errors import InvalidMessage

QUEUE = "webhooks"


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    version: Literal[1] = 1


class NewEvent(_Message):
    """Record the event, if it is not recorded yet, and make its first attempt."""

    kind: Literal["event"] = "event"
    event: Event


class NextAttempt(_Message):
    """Make the attempt that follows `tried` others of a series, unless it was made already.

    `due_at` is when it is to be made, where the sender knows that: the message is delayed until then.
    """

    kind: Literal["attempt"] = "attempt"
    tenant: Annotated[str, Field(min_length=1, max_length=500)]
    event_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,128}$")]
    series: int
    tried: int
    due_at: datetime | None = None


class ReplayRange(_Message):
    """Start a new series for a page of the tenant's events of a time range, then go on behind `cursor`.

    Events whose present series was begun after `requested_at` are left alone.
    """

    kind: Literal["replay"] = "replay"
    tenant: Annotated[str, Field(min_length=1, max_length=500)]
    since: datetime
    until: datetime
    requested_at: datetime
    cursor: str | None = None


_ESCAPED = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}
WebhookMessage = NewEvent | NextAttempt | ReplayRange
_MESSAGE: TypeAdapter[WebhookMessage] = TypeAdapter(Annotated[WebhookMessage, Field(discriminator="kind")])


def encode_webhook_message(message: WebhookMessage) -> str:
    """Return the body of a message; of what JSON may have as it is, SQS takes all but two characters."""
    return message.model_dump_json(exclude_none=True).translate(_ESCAPED)


def decode_webhook_message(body: str) -> WebhookMessage:
    """Return what a message of the queue of webhooks asks for, or raise InvalidMessage."""
    try:
        return _MESSAGE.validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidMessage(f"The message's field '{where}' is wrong: {first['msg']}") from error
