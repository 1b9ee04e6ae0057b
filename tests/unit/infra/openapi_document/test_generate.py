from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel, ValidationError, create_model

from functions.serve_predictions.handler import lambda_handler
from functions.submit_prediction.handler import SubmitRequest
from matchcast.http.api import Api
from matchcast.http.contract import READ, answers
from matchcast.http.routes import PATHS
from openapi_document import generate as openapi
from tests.support.documented import DOCUMENT, ask, assert_is_documented, operation_of, resolve, validator
from tests.support.serving import Service
from tests.support.snapshots import put_snapshot
from tests.support.template import ROOT

OPEN = {("get", "/health"), ("get", "/docs"), ("get", "/openapi.json")}


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


def test_the_committed_document_is_what_the_routes_say() -> None:
    assert openapi.DOCUMENT.read_text() == openapi.render(openapi.make_document()), (
        "The routes and their document differ: run `python -m openapi_document.generate`."
    )


def test_the_document_does_not_depend_on_the_order_of_sets() -> None:
    code = "from openapi_document import generate; print(generate.render(generate.make_document()), end='')"
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(sys.path)}
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert made.stdout.decode() == openapi.DOCUMENT.read_text()


def test_the_document_under_infra_is_the_one_that_ships() -> None:
    link = ROOT / "infra" / "openapi.json"
    assert link.is_symlink()
    assert link.resolve() == openapi.DOCUMENT.resolve()


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


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    return Service(monkeypatch)


MATCH = "e0-2026-03-07-alder-birch"
REQUESTS: list[tuple[str, dict[str, Any], int]] = [
    ("/predict/predictions/", {}, 200),
    ("/predict/predictions/", {"headers": {"if-none-match": "*"}}, 304),
    ("/predict/predictions/", {"query": {"limit": 0}}, 422),
    ("/predict/predictions/", {"query": {"cursor": "AAAA"}}, 404),
    ("/predict/predictions/", {"tenant": None}, 403),
    ("/predict/cards/", {"query": {"limit": 2}}, 200),
    ("/predict/odds/", {}, 200),
    ("/predict/region-roi/", {}, 200),
    ("/predict/model/scorecard", {}, 200),
    ("/predict/model/scorecard", {"headers": {"if-none-match": "*"}}, 304),
    (f"/predict/precomputed/{MATCH}", {}, 200),
    ("/predict/precomputed/nobody", {}, 404),
    ("/predict/nobody/knows", {}, 404),
    ("/health", {}, 200),
    ("/docs", {}, 200),
    ("/openapi.json", {}, 200),
]


@pytest.mark.parametrize(("path", "request_", "status"), REQUESTS)
def test_real_answers_are_as_the_document_says(
    service: Service, path: str, request_: dict[str, Any], status: int
) -> None:
    put_snapshot(service.objects)
    assert ask(lambda_handler, "GET", path, **request_).status == status


TASK_PATH = "/monitoring/task_status/some"
PROBLEM = {
    "type": "urn:matchcast:problem:task-not-found",
    "title": "Unknown task",
    "status": 404,
    "detail": "No.",
    "instance": TASK_PATH,
    "request_id": "1",
}


def test_an_answer_that_the_document_describes_is_no_fault() -> None:
    assert_is_documented(
        "GET", TASK_PATH, 404, {"content-type": "application/problem+json"}, json.dumps(PROBLEM).encode()
    )


@pytest.mark.parametrize(
    ("path", "status", "headers", "body"),
    [
        (TASK_PATH, 418, {"content-type": "application/problem+json"}, PROBLEM),
        (TASK_PATH, 404, {"content-type": "text/html"}, PROBLEM),
        (TASK_PATH, 404, {}, PROBLEM),
        (TASK_PATH, 404, {"content-type": "application/problem+json"}, {**PROBLEM, "status": "404"}),
        (TASK_PATH, 404, {"content-type": "application/problem+json"}, {"message": "Not Found"}),
        (TASK_PATH, 200, {"content-type": "application/json"}, {"task_id": "some"}),
        ("/predict/cards/", 304, {}, None),
        ("/nowhere", 200, {"content-type": "application/json"}, {}),
        ("/nowhere", 404, {"content-type": "application/json"}, PROBLEM),
    ],
)
def test_an_answer_that_the_document_does_not_describe_is_found(
    path: str, status: int, headers: dict[str, str], body: Any
) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    with pytest.raises((AssertionError, jsonschema.ValidationError)):
        assert_is_documented("GET", path, status, headers, content)


def test_an_operation_is_found_by_its_path_and_a_fixed_one_goes_first() -> None:
    found = {path: operation_of("GET", path) for path in ("/predict/cards", "/predict/x/", "/predict/async", "/x/y/z")}
    ids = {path: operation and operation["operationId"] for path, operation in found.items()}
    assert ids == {
        "/predict/cards": "list_cards",
        "/predict/x/": "predict_match",
        "/predict/async": "list_tasks",
        "/x/y/z": None,
    }


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


@pytest.mark.parametrize(
    "template", [*(path for _, path in sorted(OPEN - {("get", "/docs"), ("get", "/openapi.json")})), "/predict/cards/"]
)
def test_answers_without_a_snapshot_are_as_the_document_says(service: Service, template: str) -> None:
    assert ask(lambda_handler, "GET", template).status == 503


def an_api(name: str, model: type[BaseModel]) -> Api:
    api = Api()

    def route() -> dict[str, str]:
        """Return something."""
        return {}

    route.__name__ = name
    api.get(f"/{name}", security=READ, responses=answers(200, model=model))(route)
    return api


def test_two_models_of_one_name_are_refused() -> None:
    one, other = create_model("Thing", a=(int, ...)), create_model("Thing", b=(int, ...))
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    openapi.add_api(paths, schemas, "one", an_api("first", one))
    with pytest.raises(ValueError, match="called Thing"):
        openapi.add_api(paths, schemas, "two", an_api("second", other))


def test_two_operations_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = create_model("Thing", a=(int, ...))
    first, second = an_api("same", model), Api()
    second.post("/other", responses=answers(200, model=model))(first.routes[0].func)
    monkeypatch.setattr(openapi, "find_apis", lambda: [("predict_now", first), ("track_tasks", second)])
    with pytest.raises(ValueError, match="called same"):
        openapi.make_document()


def test_functions_without_routes_are_left_out() -> None:
    assert "run_inference" not in {folder for folder, _ in openapi.find_apis()}
