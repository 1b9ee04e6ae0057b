"""Requests as an HTTP API hands them to a function (payload 2.0), with the claims of a verified token."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

EVENTS = Path(__file__).resolve().parent.parent / "events"
TENANT = "tenant-a"
OTHER_TENANT = "tenant-b"
REQUEST_ID = "WqXyZjI5oAMEP7w="


@dataclass(frozen=True)
class Context:
    """What a handler reads from the Lambda context."""

    function_name: str = "matchcast-test"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:matchcast-test"
    aws_request_id: str = "7d8a2f5e-9c1b-4f4e-8a55-0a6a1c1f2b3c"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def http_event(
    method: str,
    path: str,
    *,
    query: Mapping[str, str | int | Sequence[str]] | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    tenant: str | None = TENANT,
    claims: Mapping[str, str] | None = None,
    is_base64: bool = False,
    time_epoch: int | None = None,
) -> dict[str, Any]:
    """Return the event of a request.

    `body`: a str is sent as it is, anything else as JSON. `tenant`: the `client_id` claim; None leaves it out,
    as `claims={}` leaves out the authorizer of a route without one. A list in `query` repeats the parameter.
    """
    event: dict[str, Any] = json.loads(_example())
    pairs = [
        (name, str(value))
        for name, values in (query or {}).items()
        for value in (values if isinstance(values, (list, tuple)) else [values])
    ]
    event["routeKey"] = event["requestContext"]["routeKey"] = "$default"
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["requestContext"]["http"]["method"] = method
    event["rawQueryString"] = urlencode(pairs)
    event.pop("queryStringParameters")
    if pairs:
        event["queryStringParameters"] = {
            name: ",".join(value for key, value in pairs if key == name) for name, _ in pairs
        }
    event["headers"] = {"host": event["headers"]["host"], "user-agent": "test"}
    if body is not None:
        event["headers"]["content-type"] = "application/json"
        text = body if isinstance(body, str) else json.dumps(body)
        event["body"] = base64.b64encode(text.encode()).decode() if is_base64 else text
        event["isBase64Encoded"] = is_base64
    event["headers"] |= {name.lower(): value for name, value in (headers or {}).items()}
    if claims is None:
        claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
        claims = {name: value for name, value in claims.items() if name != "client_id"}
        claims |= {"client_id": tenant} if tenant else {}
    if claims:
        event["requestContext"]["authorizer"]["jwt"]["claims"] = dict(claims)
    else:
        del event["requestContext"]["authorizer"]
    if time_epoch is not None:
        event["requestContext"]["timeEpoch"] = time_epoch
    return event


@cache
def _example() -> str:
    return (EVENTS / "http_get_predictions.json").read_text()


@dataclass(frozen=True)
class Answer:
    """A handler's answer as a client sees it: header names in lower case, the body decoded."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw: dict[str, Any] = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def answer(raw: Mapping[str, Any]) -> Answer:
    """Read what a handler returned as API Gateway would send it."""
    headers = {name.lower(): value for name, value in raw.get("headers", {}).items()}
    body = raw.get("body") or ""
    content = base64.b64decode(body) if raw.get("isBase64Encoded") else body.encode()
    if headers.get("content-encoding") == "gzip":
        content = gzip.decompress(content)
    return Answer(raw["statusCode"], headers, content, dict(raw))


def ask(handler: Any, method: str, path: str, **request: Any) -> Answer:
    """Send a request to a `lambda_handler`."""
    return answer(handler(http_event(method, path, **request), Context()))
