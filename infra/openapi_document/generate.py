"""Write the OpenAPI document of the whole API from all functions: `python -m openapi_document.generate`."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matchcast import __version__
from matchcast.http.api import Api
from matchcast.http.contract import GatewayError
from matchcast.http.problems import Problem
from openapi_document.examples import REF, example_of, kinds_of, request_examples
from openapi_document.parts import (
    describe_parameter,
    describe_response,
    share_headers,
    share_responses,
    tidy,
)
from openapi_document.problems import add_shared_answers, problem_examples, table_of_problems

if TYPE_CHECKING:
    from pydantic import BaseModel

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "functions" / "serve_predictions" / "openapi.json"
"""Ships in the zip of serve_predictions; `infra/openapi.json` is a link to it."""

_POWERTOOLS_SCHEMAS = ("HTTPValidationError", "ResponseValidationError", "ValidationError")
_DESCRIPTION = """\
Home, draw and away probabilities of football matches: precomputed, on demand, or as tasks for later.

Every request but those for /health and this documentation needs a token of an app client, sent as
`Authorization: Bearer ...`. An operator's `matchcast token` prints one. A program exchanges its client id and secret
for one at the stack's token endpoint (output `TokenUrl`), and keeps it for as long as it is valid.

Paths with and without the trailing slash are the same resource. HEAD is answered like GET, without the body.
A parameter that an operation does not name is refused. Times are RFC 3339 in UTC.

Errors of the service are `application/problem+json` (RFC 9457): `type` and `status` are stable, `errors[]` names
invalid fields by JSON Pointer, parameter or header. The gateway in front of it answers with `{"message": ...}`
(`GatewayError`): without a valid token or scope, above the throttle that all clients share (429), and where the service
itself gives no answer (503).

"""


def make_document() -> dict[str, Any]:
    """Return the document, the same for the same code.

    Raises
    ------
    ValueError
        If two functions give one name to different schemas, or one operation id to two operations.
    """
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {}
    for model in (Problem, GatewayError):
        _add_model(schemas, model)
    tags = []
    for folder, api in find_apis():
        add_api(paths, schemas, folder, api)
        tags.append({"name": _tag(folder), "description": _purpose(folder)})
    operations = [operation for methods in paths.values() for operation in methods.values()]
    _check_operation_ids(operations)
    _add_examples(operations, schemas)
    problems, table = problem_examples(operations), table_of_problems(operations)
    headers, responses = share_headers(operations), share_responses(operations)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "matchcast",
            "version": __version__,
            "description": f"{_DESCRIPTION}\n{table}\n",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": {path: paths[path] for path in sorted(paths)},
        "components": {
            "schemas": {name: schemas[name] for name in sorted(schemas)},
            "responses": responses,
            "examples": problems,
            "headers": headers,
            "securitySchemes": {
                "jwt": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token with the scopes that an operation names. `matchcast token` prints "
                    "one that is valid for an hour.",
                }
            },
        },
    }


def find_apis() -> Iterator[tuple[str, Api]]:
    """Return the folder and the routes of every function that has an `api`."""
    for handler in sorted((ROOT / "functions").glob("*/handler.py")):
        folder = handler.parent.name
        api = getattr(importlib.import_module(f"functions.{folder}.handler"), "api", None)
        if isinstance(api, Api):
            yield folder, api


def render(document: dict[str, Any]) -> str:
    """Return the document as it is committed."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def add_api(paths: dict[str, dict[str, Any]], schemas: dict[str, Any], folder: str, api: Api) -> None:
    """Add the operations and the models of one function.

    Powertools' own merge keeps its validation errors as JSON and leaves out the gateway, so the parts
    are put together here.
    """
    from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer, SecurityScheme

    schemes: dict[str, SecurityScheme] = {"jwt": HTTPBearer(bearerFormat="JWT")}
    found = json.loads(api.get_openapi_json_schema(title="matchcast", security_schemes=schemes))
    routes = {(route.openapi_path, route.method.lower()): route.func for route in api.routes}
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            paths.setdefault(path, {})[method] = _operation(operation, routes[path, method], folder)
    for name, schema in found.get("components", {}).get("schemas", {}).items():
        if name not in _POWERTOOLS_SCHEMAS:
            _add_schema(schemas, name, schema)


def _operation(operation: dict[str, Any], route: Any, folder: str) -> dict[str, Any]:
    responses = {
        int(status): response
        for status, response in operation["responses"].items()
        if not any(REF + name in json.dumps(response) for name in _POWERTOOLS_SCHEMAS)
    }
    has_body = "requestBody" in operation
    add_shared_answers(responses, has_body=has_body, secured="security" in operation)
    summary, _, description = (route.__doc__ or "").strip().partition("\n\n")
    described = {
        "tags": [_tag(folder)],
        "summary": " ".join(summary.split()),
        "description": " ".join(description.split()),
        "operationId": route.__name__,
        "parameters": [describe_parameter(parameter) for parameter in operation.get("parameters", [])],
        "requestBody": tidy(operation.get("requestBody")),
        "responses": {str(status): describe_response(status, responses[status]) for status in sorted(responses)},
        # An empty list says that no token is needed, where leaving it out would say nothing.
        "security": operation.get("security", []),
    }
    return {name: value for name, value in described.items() if value or name == "security"}


def _add_examples(operations: list[dict[str, Any]], schemas: dict[str, Any]) -> None:
    """Give an example to every body that a request takes or that answers one and has none yet."""
    for operation in operations:
        for content in operation.get("requestBody", {}).get("content", {}).values():
            content["examples"] = request_examples(content["schema"], schemas)
            for kind in kinds_of(content["schema"], schemas):
                # Generated clients would demand what has a default; the descriptions say what is taken for nothing.
                for part in schemas[kind]["properties"].values():
                    part.pop("default", None)
        for response in operation["responses"].values():
            for content in response.get("content", {}).values():
                if not {"example", "examples"} & content.keys():
                    content["example"] = example_of(content["schema"], schemas)


def _tag(folder: str) -> str:
    return folder.replace("_", " ").capitalize()


def _purpose(folder: str) -> str:
    """Return the first sentence of what a function says of itself."""
    return (importlib.import_module(f"functions.{folder}").__doc__ or "").strip().partition("\n")[0]


def _add_model(schemas: dict[str, Any], model: type[BaseModel]) -> None:
    schema = model.model_json_schema(ref_template=REF + "{model}")
    for name, part in schema.pop("$defs", {}).items():
        _add_schema(schemas, name, part)
    _add_schema(schemas, model.__name__, schema)


def _add_schema(schemas: dict[str, Any], name: str, schema: dict[str, Any]) -> None:
    for number, kind in enumerate(schema.get("oneOf", [])):
        # Clients are generated of schemas that have names.
        if "title" in kind:
            _add_schema(schemas, kind["title"], kind)
            schema["oneOf"][number] = {"$ref": REF + kind["title"]}
    described = tidy(schema)
    if schemas.setdefault(name, described) != described:
        raise ValueError(f"Two functions have different models called {name}; rename one of them.")


def _check_operation_ids(operations: list[dict[str, Any]]) -> None:
    ids = [operation["operationId"] for operation in operations]
    if twice := {name for name in ids if ids.count(name) > 1}:
        raise ValueError(f"Two routes have functions called {', '.join(sorted(twice))}; rename one of them.")


if __name__ == "__main__":
    DOCUMENT.write_text(render(make_document()), encoding="utf-8")
