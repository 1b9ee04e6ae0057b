"""The OpenAPI document: its schemas, operations, examples and errors, and the code that it agrees with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import ValidationError

from functions.submit_prediction.handler import SubmitRequest
from matchcast.http.routes import PATHS
from tests.support.documented import DOCUMENT, OPEN, resolve, validator

MATCH = "e0-2026-03-07-alder-birch"
ERROR_BODIES = {"Problem": "application/problem+json", "GatewayError": "application/json"}


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


def test_it_is_a_valid_document_of_openapi_3_1() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(DOCUMENT).validate()


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
        assert operation["operationId"].isidentifier()
        assert operation["summary"].endswith(".")
        assert operation["description"].endswith(".")
        named = {item["name"] for item in operation.get("parameters", []) if item["in"] == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}


def test_only_health_and_the_documents_need_no_token() -> None:
    assert {(method, path) for method, path, operation in operations() if not operation["security"]} == OPEN


@pytest.mark.parametrize(("method", "path", "operation"), list(operations()))
def test_an_operation_says_all_that_it_may_answer(method: str, path: str, operation: dict[str, Any]) -> None:
    # WHEN what the gateway and the function may answer is collected
    expected = {"429", "500", "503"}
    gateway = {"429", "503"} | ({"401", "403"} if operation["security"] else set())
    if operation["security"]:
        expected |= {"401", "403"}
    if "requestBody" in operation:
        expected |= {"413", "415", "422"}
    if "parameters" in operation:
        expected |= {"422"}
    # THEN
    assert expected <= set(operation["responses"])
    assert any(status < "304" for status in operation["responses"])
    for status in gateway:
        content = resolve(operation["responses"][status])["content"]["application/json"]
        assert "GatewayError" in json.dumps(content["schema"])


def test_every_error_is_a_problem_or_the_gateways_own_body() -> None:
    # WHEN
    errors = [
        resolve(response)["content"]
        for _, path, operation in operations()
        for status, response in operation["responses"].items()
        if int(status) >= 400 and path != "/health"
    ]
    # THEN
    for content in errors:
        assert set(content) <= set(ERROR_BODIES.values())
        # One schema for a status, because clients are generated with one.
        schemas = [each["schema"] for each in content.values()]
        assert all(schema == schemas[0] for schema in schemas)
        names = [name.rpartition("/")[2] for name in references(schemas[0])]
        assert names == [name for name, kind in ERROR_BODIES.items() if kind in content]


def contents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every body of the document, of requests and of answers, with its media type."""
    for _, _, operation in operations():
        yield from operation.get("requestBody", {}).get("content", {}).items()
        for response in operation["responses"].values():
            yield from resolve(response).get("content", {}).items()


def test_every_body_has_a_valid_example() -> None:
    for kind, content in contents():
        examples = [resolve(each)["value"] for each in content.get("examples", {}).values()]
        examples += [content["example"]] if "example" in content else []
        assert examples
        for example in examples:
            validator(content["schema"]).validate(example)
            if kind == "application/problem+json":
                validator({"$ref": "#/components/schemas/Problem"}).validate(example)


def test_every_path_parameter_has_a_valid_example() -> None:
    for _, _, operation in operations():
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                validator(parameter["schema"]).validate(parameter["example"])


def test_a_submission_has_a_named_example_of_each_kind() -> None:
    # WHEN
    body = DOCUMENT["paths"]["/predict/async/"]["post"]["requestBody"]["content"]["application/json"]
    named = {name: SubmitRequest.model_validate(example["value"]) for name, example in body["examples"].items()}
    # THEN
    assert set(named) == {"match", "features"}
    assert (named["match"].match_id, named["match"].features) == (MATCH, None)
    assert (named["features"].match_id, set(named["features"].features or {})) == (None, {"elo_difference", "form"})


def test_bodies_of_requests_are_named_schemas_of_which_clients_can_be_generated() -> None:
    # GIVEN
    schemas = DOCUMENT["components"]["schemas"]
    # WHEN
    bodies = {
        operation["operationId"]: content["schema"]
        for _, _, operation in operations()
        for content in operation.get("requestBody", {}).get("content", {}).values()
    }
    # THEN a choice is one of two names, and no property has a default, which openapi-typescript would demand
    assert bodies == {
        "predict_features": {"$ref": "#/components/schemas/FeaturesRequest"},
        "submit": {"$ref": "#/components/schemas/SubmitRequest"},
        "make_upload": {"$ref": "#/components/schemas/UploadRequest"},
        "submit_batch": {"$ref": "#/components/schemas/BatchRequest"},
        "make_secret": {"$ref": "#/components/schemas/SecretRequest"},
        "replay_events": {"$ref": "#/components/schemas/ReplayRequest"},
    }
    kinds = ["MatchSubmission", "FeaturesSubmission"]
    assert schemas["SubmitRequest"]["oneOf"] == [{"$ref": f"#/components/schemas/{kind}"} for kind in kinds]
    for kind in (*kinds, "FeaturesRequest"):
        assert schemas[kind]["additionalProperties"] is False
        assert not any("default" in part for part in schemas[kind]["properties"].values())


def test_no_schema_has_a_title_of_its_own() -> None:
    # A generated class is named after the title; the component's name is the one that stays.
    assert not any("title" in schema for schema in DOCUMENT["components"]["schemas"].values())


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


def test_every_whole_number_of_a_query_has_bounds() -> None:
    parameters = [
        parameter["schema"]
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query" and parameter["schema"].get("type") == "integer"
    ]
    assert len(parameters) == 6
    assert all({"minimum", "maximum"} <= set(schema) for schema in parameters)
