"""Short words for what routes say of themselves in the OpenAPI document.

A route names its scope and its answers in one line::

    @api.get("/predict/cards/", security=READ, responses=answers(200, 304, CursorNotFound, model=CardPage))

What the gateway may answer, and what every route shares (403 with a token, 422 with parameters or a body, 500), the
generator adds (`openapi_document.generate`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field
from typing_extensions import TypeAliasType

from matchcast.errors import (
    KeyMalformed,
    KeyReused,
    MatchcastError,
    MatchNotFound,
    ModelNotPublished,
    ModelUnavailable,
    QueueUnavailable,
    SnapshotNotPublished,
    SnapshotUnavailable,
    StageNotFound,
    StorageUnavailable,
    TooManyTasks,
)
from matchcast.http.problems import CONTENT_TYPE

READ = [{"jwt": ["predictions/read"]}]
WRITE = [{"jwt": ["predictions/write"]}]
READ_OR_WRITE = [{"jwt": ["predictions/read"]}, {"jwt": ["predictions/read", "predictions/write"]}]
"""With `Prefer: respond-async` a reading route makes a task, which needs both."""

_TEXT = {"type": "string"}
_CACHE_HEADERS: dict[str, Any] = {
    "ETag": {"description": "Send it as If-None-Match to get 304 while nothing has changed.", "schema": _TEXT},
    "Last-Modified": {"description": "When this state was made.", "schema": _TEXT},
    "Cache-Control": {"schema": _TEXT},
    "Vary": {"schema": _TEXT},
}
_TASK_HEADERS: dict[str, Any] = {
    "Location": {"description": "Path of its status.", "schema": _TEXT},
    "Retry-After": {"description": "Seconds after which asking is worth it.", "schema": {"type": "integer"}},
}
_DESCRIPTIONS = {
    200: "Successful answer.",
    201: "Made.",
    202: "Accepted; the result is not there yet.",
    303: "What is asked for is at `Location`.",
    304: "The state that the client holds is the present one.",
}
_LOCATION: dict[str, Any] = {"Location": {"description": "Where to go on.", "schema": _TEXT}}
PROBLEM_TYPES = "x-problem-types"
"""Names, in an error's response, the problems that it may be: their codes, without the prefix of `type`."""

MODEL = (ModelUnavailable, ModelNotPublished)
"""What a route answers that needs a model and finds none."""
SNAPSHOT = (SnapshotUnavailable, SnapshotNotPublished)
"""What a route answers that needs a snapshot and finds none."""
ACCEPTING = (
    KeyMalformed,
    KeyReused,
    StageNotFound,
    MatchNotFound,
    TooManyTasks,
    *MODEL,
    *SNAPSHOT,
    QueueUnavailable,
    StorageUnavailable,
)
"""What a route answers that accepts a task, and cannot."""

Features = TypeAliasType(
    "Features",
    Annotated[
        dict[str, Any], Field(description="Feature name to number, boolean or null, as the model's signature says.")
    ],
)
"""A caller's own features. The document names this schema, so that it can show those of the served champion."""

StageName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=255,
        description="The stage (a model alias) whose model answers; `champion` if it is left out.",
        examples=["champion"],
    ),
]


class GatewayError(BaseModel):
    """What the gateway itself answers, before or instead of this service."""

    message: str = Field(description="A short text; the status says what happened.", examples=["Unauthorized"])


def problem_answer(*kinds: type[MatchcastError]) -> dict[str, Any]:
    """Return the OpenAPI response of one or more problems with one status; the generator describes each."""
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {CONTENT_TYPE: {"schema": schema}}
    return {"description": "", "content": content, PROBLEM_TYPES: [kind.code for kind in kinds]}


def answers(
    *may_be: int | type[MatchcastError], model: Any = None, headers: Mapping[str, Any] | None = None
) -> dict[int, Any]:
    """Return the OpenAPI responses of a route for `responses=`.

    Parameters
    ----------
    may_be
        Every status below 400 and every error that the route itself answers. 304 makes 200 a cacheable answer; a 202
        has Location and Retry-After.
    model
        The body of the 2xx answers, where the function's return annotation does not say it.
    headers
        What the answers below 400 carry besides the usual, as OpenAPI describes headers.
    """
    statuses = [each for each in may_be if isinstance(each, int)]
    kinds = [each for each in may_be if not isinstance(each, int)]
    described: dict[int, Any] = {}
    for status in statuses:
        described[status] = {"description": _DESCRIPTIONS[status]}
        if status in (303, 304):
            described[status]["content"] = {}
        elif model is not None:
            described[status]["content"] = {"application/json": {"model": model}}
        own = {202: _TASK_HEADERS, 303: _LOCATION}.get(status) or (_CACHE_HEADERS if 304 in statuses else {})
        if all_headers := {**own, **(headers or {})}:
            described[status]["headers"] = all_headers
    for status in sorted({kind.status for kind in kinds}):
        described[status] = problem_answer(*(kind for kind in kinds if kind.status == status))
    return described
