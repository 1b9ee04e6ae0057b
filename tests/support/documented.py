"""Answers against the OpenAPI document: `ask` as `http_events` has it, with every answer checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jsonschema

from matchcast.http.problems import TYPE_PREFIX
from matchcast.http.routes import path_pattern
from openapi_document import generate as openapi
from tests.support import http_events
from tests.support.http_events import Answer

DOCUMENT: dict[str, Any] = json.loads(openapi.DOCUMENT.read_text())
PROBLEM = {"$ref": "#/components/schemas/Problem"}
# The operations that need no token.
OPEN = {("get", "/"), ("get", "/health"), ("get", "/docs"), ("get", "/openapi.json")}


def ask(handler: Any, method: str, path: str, **request: Any) -> Answer:
    """Send a request to a `lambda_handler`, and hold its answer against the document."""
    found = http_events.ask(handler, method, path, **request)
    assert_is_documented(method, path, found.status, found.headers, found.body)
    return found


def assert_is_documented(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Check status, media type, headers and body; what is no operation has to be a 404 or 405 problem."""
    given = {name.lower() for name in headers}
    kind = headers.get("content-type", "").partition(";")[0]
    operation = operation_of(method, path)
    if operation is None:
        assert status in (404, 405), f"{method} {path} is not documented and answers {status}"
        assert kind == "application/problem+json"
        if method == "HEAD":
            assert body == b""
            return
        validator(PROBLEM).validate(json.loads(body))
        return
    assert str(status) in operation["responses"], f"{method} {path} answers {status}, which is not documented"
    response = resolve(operation["responses"][str(status)])
    assert kind in response.get("content", {"": None}), f"{method} {path} answers {status} as {kind!r}"
    expected = {name.lower() for name in response.get("headers", {})}
    # The gateway never says when to come back, and of the service's 503s only those that may pass.
    assert expected - ({"retry-after"} if status in (429, 503) else set()) <= given
    if method == "HEAD":
        assert body == b""
        return
    if kind.endswith("json"):
        validator(response["content"][kind]["schema"]).validate(json.loads(body))
    if kind == "application/problem+json":
        validator(PROBLEM).validate(json.loads(body))
        code = json.loads(body)["type"].removeprefix(TYPE_PREFIX)
        named = response["content"][kind]["examples"]
        assert code in named, (
            f"{method} {path} answers {status} as {code}; its route names {sorted(named)} in answers()"
        )


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """Return the operation that a request is for; a fixed path goes before one with placeholders, HEAD is a GET."""
    method = "GET" if method == "HEAD" else method
    for template in sorted(DOCUMENT["paths"], key=lambda template: template.count("{")):
        if path_pattern(template).match(path):
            found: dict[str, Any] | None = DOCUMENT["paths"][template].get(method.lower())
            return found
    return None


def resolve(part: dict[str, Any]) -> dict[str, Any]:
    """Return what a part of the document is or refers to."""
    if "$ref" not in part:
        return part
    found = DOCUMENT
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    """Return a validator of a schema of the document, formats included."""
    return jsonschema.Draft202012Validator(
        {**schema, "components": DOCUMENT["components"]}, format_checker=jsonschema.FormatChecker()
    )
