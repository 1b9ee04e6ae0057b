"""The OpenAPI document: its schemas, operations, examples and errors, and the code that it agrees with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from functions.submit_prediction.handler import SubmitRequest
from matchcast.http.routes import PATHS
from tests.support.documented import DOCUMENT, OPEN, resolve, validator

MATCH = "e0-2026-03-07-alder-birch"


def operations(document: dict[str, Any] = DOCUMENT) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            yield from [value] if name == "$ref" else references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_every_reference_leads_somewhere() -> None:
    for reference in set(references(DOCUMENT)):
        assert resolve({"$ref": reference})


def test_every_schema_is_valid() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_schema_is_used() -> None:
    used = {name.rpartition("/")[2] for name in references(DOCUMENT)}
    assert set(DOCUMENT["components"]["schemas"]) - used == set()


def test_every_operation_has_a_summary_an_id_and_its_path_parameters() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(ids)) == len(ids)
    for _, path, operation in operations():
        assert operation["summary"].endswith(".")
        named = {item["name"] for item in operation.get("parameters", []) if item["in"] == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}


def test_only_health_and_the_documents_need_no_token() -> None:
    assert {(method, path) for method, path, operation in operations() if not operation["security"]} == OPEN


@pytest.mark.parametrize(("method", "path", "operation"), list(operations()))
def test_an_operation_says_all_that_it_may_answer(method: str, path: str, operation: dict[str, Any]) -> None:
    # WHEN what the gateway and the function may answer is collected
    expected = {"429", "500", "503"}
    if operation["security"]:
        expected |= {"401", "403"}
    if "requestBody" in operation:
        expected |= {"413", "415", "422"}
    if "parameters" in operation:
        expected |= {"422"}
    # THEN
    assert expected <= set(operation["responses"])
    assert any(status.startswith("2") for status in operation["responses"])


def test_every_error_is_a_problem_or_the_gateways_own_body() -> None:
    for _, path, operation in operations():
        for status, response in operation["responses"].items():
            if int(status) < 400 or path == "/health":
                continue
            for kind, content in resolve(response)["content"].items():
                name = {"application/problem+json": "Problem", "application/json": "GatewayError"}[kind]
                assert content["schema"] == {"$ref": f"#/components/schemas/{name}"}


def test_every_example_is_valid() -> None:
    # WHEN
    found = 0
    for response in [
        *DOCUMENT["components"]["responses"].values(),
        *(r for _, _, o in operations() for r in o["responses"].values()),
    ]:
        for content in resolve(response).get("content", {}).values():
            if "example" in content:
                validator(content["schema"]).validate(content["example"])
                found += 1
    # THEN
    assert found > 5


def test_no_parameter_may_be_null_or_is_required_by_mistake() -> None:
    for _, _, operation in operations():
        for parameter in operation.get("parameters", []):
            assert {"type": "null"} not in parameter["schema"].get("anyOf", [])
            assert parameter.get("required", False) is (parameter["in"] == "path")


@pytest.mark.parametrize("match_id", [..., None, MATCH, 7])
@pytest.mark.parametrize("features", [..., None, {}, {"form": 1}, "much"])
def test_the_document_and_the_code_agree_on_what_a_submission_is_about(match_id: Any, features: Any) -> None:
    body = {name: value for name, value in (("match_id", match_id), ("features", features)) if value is not ...}
    described = validator({"$ref": "#/components/schemas/SubmitRequest"}).is_valid(body)
    try:
        SubmitRequest.model_validate(body)
    except ValidationError:
        assert not described
    else:
        assert described


def test_every_function_knows_the_paths_of_the_whole_api() -> None:
    assert {path: set(methods) for path, methods in PATHS.items()} == {
        path: {method.upper() for method in methods} for path, methods in DOCUMENT["paths"].items()
    }
