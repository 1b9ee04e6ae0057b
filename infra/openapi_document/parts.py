"""Parts of the OpenAPI document that belong to no single route: the gateway's answers, examples, components."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from matchcast.errors import (
    DeadlineExceeded,
    FieldError,
    InvalidRequest,
    MatchcastError,
    MatchNotFound,
    StorageUnavailable,
    TaskGone,
    TaskOver,
    TenantMissing,
    UnsupportedMediaType,
)
from matchcast.http.contract import problem_answer
from matchcast.http.problems import CONTENT_TYPE, problem

REF = "#/components/schemas/"
_REQUEST_ID = "WqXyZjI5oAMEP7w="
_GATEWAY = {
    401: "The token is missing, expired or not for this API.",
    403: "The token lacks the scope, or the claim that names its tenant.",
    413: "The body is too large.",
    429: "Too many requests; slow down.",
    500: "The service failed.",
    503: "The service could not answer in time, or something behind it is out of reach.",
}
_FROM_SERVICE_TOO = {403, 500, 503}
# Named here and not by http.HTTPStatus, whose names differ between releases of Python.
_NAMES = {
    304: "NotModified",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Gone",
    413: "ContentTooLarge",
    415: "UnsupportedMediaType",
    422: "UnprocessableContent",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
    504: "GatewayTimeout",
}
_TASK = "019cb2d1-7c00-7000-8000-000000000000"
_EXAMPLES: dict[int, MatchcastError] = {
    403: TenantMissing("The token has no claim 'client_id', which names the tenant; ask for another token."),
    404: MatchNotFound("No match of the snapshot has the id e0-2026-03-07-alder-birch."),
    409: TaskOver(f"The task {_TASK} is expired."),
    410: TaskGone(f"The task {_TASK} expired at 2026-03-08T12:00:00Z; submit it again."),
    415: UnsupportedMediaType("The body has to be JSON. Send the header Content-Type: application/json."),
    422: InvalidRequest(
        "parameter limit: Input should be less than or equal to 1000.",
        [FieldError(detail="Input should be less than or equal to 1000.", parameter="limit")],
    ),
    500: MatchcastError(""),
    503: StorageUnavailable(""),
    504: DeadlineExceeded("The prediction did not finish within 28 seconds."),
}


def add_shared_answers(responses: dict[int, Any], *, has_input: bool, has_body: bool, secured: bool) -> None:
    """Add what every operation of a kind may answer, from the service or the gateway in front of it.

    Where both use a status, the media type distinguishes them.
    """
    if has_input:
        responses.setdefault(422, problem_answer("The values of the request are wrong; `errors` says which."))
    if has_body:
        responses.setdefault(415, problem_answer("The body is not sent as JSON."))
    for status, description in _GATEWAY.items():
        if (status in (401, 403) and not secured) or (status == 413 and not has_body):
            continue
        own = problem_answer(description) if status in _FROM_SERVICE_TOO else {"description": description}
        content = responses.setdefault(status, own).setdefault("content", {})
        gateway: dict[str, Any] = {"$ref": REF + "GatewayError"}
        if (json_body := content.get("application/json")) is not None:
            gateway = {"anyOf": [json_body["schema"], gateway]}
        content["application/json"] = {"schema": gateway}


def describe_response(status: int, response: dict[str, Any]) -> dict[str, Any]:
    """Return a response with its example, without what is empty."""
    content = tidy(response.get("content") or {})
    if CONTENT_TYPE in content and status in _EXAMPLES:
        example = problem(_EXAMPLES[status], path="/predict/...", request_id=_REQUEST_ID)
        content[CONTENT_TYPE]["example"] = example
    headers = dict(response.get("headers") or {})
    if status == 503:
        headers["Retry-After"] = {"schema": {"type": "integer"}}
    described = {"description": response["description"], "headers": headers, "content": content}
    return {name: value for name, value in described.items() if value}


def describe_parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter without null: one that is not required is left out, never sent as null."""
    schema = tidy(parameter["schema"])
    kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
    if schema.get("default", 0) is None:
        del schema["default"]
    schema |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {}
    description = schema.pop("description", parameter.get("description"))
    described = {"name": parameter["name"], "in": parameter["in"], "description": description}
    described |= {"required": parameter.get("required"), "schema": schema}
    return {name: value for name, value in described.items() if value}


def share_headers(operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Move the headers into components; a header means the same everywhere."""
    shared: dict[str, Any] = {}
    for operation in operations:
        for response in operation["responses"].values():
            for name, header in response.get("headers", {}).items():
                shared[name] = max(shared.get(name, {}), header, key=len)
                response["headers"][name] = {"$ref": f"#/components/headers/{name}"}
    return {name: shared[name] for name in sorted(shared)}


def share_responses(operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Move what most operations answer for one status but success into components; the others stay in place."""
    shared: dict[str, Any] = {}
    for status in sorted({status for operation in operations for status in operation["responses"]}):
        found = [operation["responses"] for operation in operations if status in operation["responses"]]
        texts = Counter(json.dumps(responses[status]) for responses in found)
        text, count = texts.most_common(1)[0]
        if count < 2 or int(status) < 300:
            continue
        name = _NAMES.get(int(status), f"Status{status}")
        shared[name] = json.loads(text)
        for responses in found:
            if json.dumps(responses[status]) == text:
                responses[status] = {"$ref": f"#/components/responses/{name}"}
    return shared


def tidy(schema: Any) -> Any:
    """Return a schema without the titles that pydantic makes of field names, and with whole bounds as integers."""
    if isinstance(schema, list):
        return [tidy(part) for part in schema]
    if isinstance(schema, dict):
        return {name: tidy(part) for name, part in schema.items() if name != "title" or not isinstance(part, str)}
    return int(schema) if isinstance(schema, float) and schema.is_integer() else schema
