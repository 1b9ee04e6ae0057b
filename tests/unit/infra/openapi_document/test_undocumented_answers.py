"""Answers that the OpenAPI document does not describe are found."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from tests.support.documented import assert_is_documented, operation_of

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
