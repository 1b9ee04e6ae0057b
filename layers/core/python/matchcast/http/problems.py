"""Problems (RFC 9457): the one body of every error that this code answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import orjson
from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, Field

from matchcast.domain.signature import escape_pointer
from matchcast.echo import LONGEST_DETAIL, cut
from matchcast.errors import (
    MOST_ERRORS,
    FieldError,
    MatchcastError,
    MethodNotAllowed,
    TooManyBatches,
    TooManyTasks,
    Transient,
)

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:matchcast:problem:"
LONGEST_INSTANCE = 200
"""Characters of the path that are repeated: more than any path that exists."""
PLACES_NAMED = 3
RETRY_AFTER_SECONDS = 5
"""What a 503 advises; long enough for a throttled table or a cold model, short enough for a person."""


class InvalidField(BaseModel):
    """One invalid field of a request."""

    detail: str = Field(description="What is wrong with it, and what is expected.")
    pointer: str | None = Field(
        default=None, description="JSON Pointer (RFC 6901) into the body; empty: the body as a whole."
    )
    parameter: str | None = Field(default=None, description="Name of a path or query parameter.")
    header: str | None = Field(default=None, description="Name of a header.")


class Problem(BaseModel):
    """An error as RFC 9457 describes it; `type` and `status` are stable, `detail` is for people."""

    type: str = Field(description=f"`{TYPE_PREFIX}` and a stable code.")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was asked for.")
    request_id: str
    errors: list[InvalidField] | None = Field(
        default=None,
        max_length=MOST_ERRORS,
        description="The invalid fields, where there are any; the first hundred of them.",
    )
    more_errors: int | None = Field(
        default=None, ge=1, description="How many more fields are invalid, where `errors` does not name all."
    )


def problem(error: MatchcastError, *, path: str, request_id: str) -> dict[str, Any]:
    """Return the body that describes an error."""
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + error.code,
        "title": error.title,
        "status": error.status,
        "detail": cut(error.public_detail, LONGEST_DETAIL),
        "instance": quote(path[:LONGEST_INSTANCE], safe="/%-._~!$&'()*+,;=:@"),
        "request_id": request_id,
    }
    if error.errors:
        body["errors"] = [field.as_dict() for field in error.errors]
    if error.more_errors:
        body["more_errors"] = error.more_errors
    return body


def problem_response(
    error: MatchcastError, *, path: str, request_id: str, headers: Mapping[str, str] | None = None
) -> Response[str]:
    """Return the answer for an error, with `Allow` or `Retry-After` where they help, and any other headers."""
    headers = {"Cache-Control": "no-store", **(headers or {})}
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(error.allow)
    if isinstance(error, Transient):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if isinstance(error, (TooManyBatches, TooManyTasks)):
        headers["Retry-After"] = str(error.retry_after)
    body = orjson.dumps(problem(error, path=path, request_id=request_id)).decode()
    return Response(error.status, content_type=CONTENT_TYPE, body=body, headers=dict(headers))


def field_errors(found: Iterable[Mapping[str, Any]]) -> list[FieldError]:
    """Return pydantic's errors, as Powertools collects them, as the fields that a client knows.

    The first part of `loc` is where the value was: `body`, `path`, `query`, `header` or `cookie`.
    Values are never repeated.
    """
    return [_field_error(error["loc"], str(error["msg"])) for error in found]


def summary(errors: Sequence[FieldError]) -> str:
    """Return one sentence on the invalid fields of a request."""
    if len(errors) == 1:
        return f"{_place(errors[0])}: {errors[0].detail}"
    named = list(dict.fromkeys(_place(error) for error in errors[:PLACES_NAMED]))
    places = ", ".join(named + ["and others"] * (len(errors) > PLACES_NAMED))
    return f"{len(errors)} values of the request are wrong ({places}); `errors` says why."


def _field_error(location: Sequence[str | int], message: str) -> FieldError:
    place, *rest = location
    detail = message.removeprefix("Value error, ").rstrip(".") + "."
    detail = detail[0].upper() + detail[1:]
    if place == "body":
        # pydantic marks a wrong key of a mapping by the part "[key]"; the pointer ends at the key itself.
        parts = [str(part) for part in rest if part != "[key]"]
        return FieldError(detail=detail, pointer="".join(f"/{escape_pointer(part)}" for part in parts))
    name = str(rest[0]) if rest else str(place)
    return FieldError(detail=detail, header=name) if place == "header" else FieldError(detail=detail, parameter=name)


def _place(error: FieldError) -> str:
    if error.parameter is not None:
        return f"parameter {cut(error.parameter)}"
    if error.header is not None:
        return f"header {cut(error.header)}"
    return f"field {cut(error.pointer)}" if error.pointer else "body"
