"""Reading request bodies: JSON objects and nothing else, with the reason when one is not."""

from __future__ import annotations

import base64
import json
from typing import Any, ClassVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict

from matchcast.echo import quoted
from matchcast.errors import ContentTooLarge, FieldError, InvalidRequest

DEEPEST = 16
"""Levels of objects and arrays in a body; code that writes JSON recurses, and would fail at some hundreds."""


def _whole(value: object) -> object:
    """Return a number without a fraction as an integer: to JSON Schema 5.0 is one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""Of an integer in a body."""


class RequestBody(BaseModel):
    """The body of a request: known members alone, each of the very JSON type that the contract names."""

    model_config = ConfigDict(extra="forbid", strict=True)

    max_bytes: ClassVar[int] = 131_072
    """The longest body of the route; a task's message of the same length still fits its queue."""


def read_object(body: str, *, is_base64: bool, max_bytes: int) -> dict[str, Any]:
    """Return the JSON object in a request body.

    Raises
    ------
    ContentTooLarge
        If the body has more bytes than the route takes.
    InvalidRequest
        With the pointer "" if the body is empty, not JSON, nested too deeply, ambiguous, or another kind of value.
    """
    # Base64 makes four characters of three bytes; what is longer than that need not be decoded.
    encoded = body.encode() if not is_base64 or len(body) > 2 * max_bytes else _decoded(body)
    if not encoded:
        raise _invalid("The body is empty; send a JSON object.")
    if len(encoded) > max_bytes:
        raise ContentTooLarge(f"The body is too long; this resource takes {max_bytes} bytes at most.")
    try:
        content = orjson.loads(encoded)
    except orjson.JSONDecodeError as error:
        reason = f"The body is not JSON (line {error.lineno}, column {error.colno}: {error.msg})."
        raise _invalid(reason) from error
    if not isinstance(content, dict):
        raise _invalid("The body is JSON, but not an object; send an object.")
    _demand_shallow(content)
    _demand_unique_names(encoded)
    return content


def _decoded(body: str) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except ValueError as error:
        raise _invalid("The body is not JSON.") from error


def _demand_shallow(content: dict[str, Any]) -> None:
    """Raise unless the content has few levels; orjson itself has refused what no loop could walk."""
    level: list[Any] = [content]
    for _ in range(DEEPEST):
        below = [list(part.values()) if isinstance(part, dict) else part for part in level]
        level = [part for parts in below for part in parts if isinstance(part, (dict, list))]
        if not level:
            return
    raise _invalid(f"The body has more than {DEEPEST} levels of objects and arrays; send a flatter one.")


def _demand_unique_names(encoded: bytes) -> None:
    """Raise if an object names a member twice: which of them counts, every reader of JSON decides for itself."""

    def unique(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _invalid(f"The body names {quoted(name)} twice in one object; name it once.")
            seen.add(name)

    # Numbers are not converted: Python refuses some thousand digits, and here their values do not matter.
    json.loads(encoded, object_pairs_hook=unique, parse_int=len, parse_float=len)


def _invalid(detail: str) -> InvalidRequest:
    return InvalidRequest(detail, [FieldError(detail=detail, pointer="")])
