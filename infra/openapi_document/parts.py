"""Parts of operations, and what several of them share as components."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from openapi_document.examples import parameter_example
from openapi_document.problems import describe_error

REF = "#/components/schemas/"
# Named here and not by http.HTTPStatus, whose names differ between releases of Python.
_NAMES = {
    304: "NotModified",
    400: "BadRequest",
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


def describe_response(status: int, response: dict[str, Any]) -> dict[str, Any]:
    """Return a response, without what is empty."""
    described = {**response, "content": tidy(response.get("content") or {})}
    if status >= 400:
        return describe_error(status, described)
    return {name: value for name, value in described.items() if value}


def describe_parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter without null: one that is not required is left out, never sent as null."""
    schema = tidy(parameter["schema"])
    kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
    if schema.get("default", 0) is None:
        del schema["default"]
    schema |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {}
    description = schema.pop("description", parameter.get("description"))
    # Powertools takes headers in lower case; people know them by these names.
    name = parameter["name"].title() if parameter["in"] == "header" else parameter["name"]
    described = {"name": name, "in": parameter["in"], "description": description}
    described |= {"required": parameter.get("required"), "schema": schema}
    if parameter["in"] == "path":
        described["example"] = parameter_example(parameter["name"])
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
