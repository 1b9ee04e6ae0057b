"""Short words for what routes say of themselves in the OpenAPI document.

A route names its scope and its answers in one line::

    @api.get("/predict/cards/", security=READ, responses=answers(200, 304, model=CardPage))

What the gateway may answer, and what every route shares (422 with parameters or a body, 500), the
generator adds (`openapi_document.generate`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

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
    "Location": {"description": "Path of the task's status.", "schema": _TEXT},
    "Retry-After": {"description": "Seconds after which asking is worth it.", "schema": {"type": "integer"}},
}
_DESCRIPTIONS = {
    200: "Successful answer.",
    201: "Made.",
    202: "Accepted; the result is not there yet.",
    304: "The state that the client holds is the present one.",
    400: "The Idempotency-Key header is malformed.",
    403: "The token lacks a scope or the tenant claim.",
    404: "What was asked for is not there, or not the caller's to see.",
    409: "The state of the resource does not allow this.",
    410: "It was there once, and has expired.",
    415: "The body is not sent as JSON.",
    422: "The request can be read, but its values are wrong; `errors` says which.",
    429: "As many tasks are open as may be; `Retry-After` says when to come back.",
    503: "Something behind the service is out of reach; the same request may succeed later.",
    504: "The answer would have come too late.",
}


class GatewayError(BaseModel):
    """What the gateway itself answers, before or instead of this service."""

    message: str = Field(description="A short text; the status says what happened.", examples=["Unauthorized"])


def problem_answer(description: str) -> dict[str, Any]:
    """Return the OpenAPI response of a problem."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {CONTENT_TYPE: {"schema": schema}}}


def answers(*statuses: int, model: Any = None, headers: Mapping[str, Any] | None = None) -> dict[int, Any]:
    """Return the OpenAPI responses of a route for `responses=`.

    Parameters
    ----------
    statuses
        Every status that the route itself answers. 304 makes 200 a cacheable answer; a 202 has
        Location and Retry-After.
    model
        The body of the 2xx answers, where the function's return annotation does not say it.
    headers
        What the answers below 400 carry besides the usual, as OpenAPI describes headers.
    """
    described: dict[int, Any] = {}
    for status in statuses:
        description = _DESCRIPTIONS[status]
        if status >= 400:
            described[status] = problem_answer(description)
            continue
        described[status] = {"description": description}
        if status == 304:
            described[status]["content"] = {}
        elif model is not None:
            described[status]["content"] = {"application/json": {"model": model}}
        if 304 in statuses:
            described[status]["headers"] = {**_CACHE_HEADERS, **(headers or {})}
        elif headers:
            described[status]["headers"] = dict(headers)
        if status == 202:
            described[status]["headers"] = _TASK_HEADERS
    return described
