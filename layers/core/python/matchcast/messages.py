"""The queue message, version 1: it carries the whole task, so that a result never needs the record.

The version rises when a reader of the old version could not do the right thing with a new message.
A reader refuses versions that it does not know: the message goes to the dead letters, not to waste.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from matchcast.domain.task import Task
from matchcast.errors import InvalidMessage

VERSION = 1
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
