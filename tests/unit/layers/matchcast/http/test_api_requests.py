"""Requests: parameters, headers, bodies and tenants are read, and what is wrong with them is named."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from matchcast.http.api import serve
from tests.support.example_api import assert_is_problem, call, make_api
from tests.support.http_events import TENANT, ask


@pytest.mark.parametrize("limit", ["0", "1001", "ten", "", "1.5"])
def test_a_wrong_query_parameter_is_a_422_that_names_it(limit: str) -> None:
    problem = assert_is_problem(call("GET", "/things", query={"limit": limit}), 422, "invalid-request")
    assert [error["parameter"] for error in problem["errors"]] == ["limit"]
    assert "pointer" not in problem["errors"][0]


def test_a_repeated_query_parameter_that_takes_one_value_is_a_422() -> None:
    problem = assert_is_problem(call("GET", "/things", query={"limit": ["5", "6"]}), 422, "invalid-request")
    assert problem["errors"][0]["parameter"] == "limit"


def test_an_unknown_query_parameter_is_a_422_that_says_which_there_are() -> None:
    problem = assert_is_problem(call("GET", "/things", query={"color": "red"}), 422, "invalid-request")
    assert problem["errors"] == [
        {"detail": "There is no parameter 'color'; there are limit.", "parameter": "color"},
    ]
    problem = assert_is_problem(call("GET", "/who", query={"color": "red"}), 422, "invalid-request")
    assert problem["detail"] == "There is no parameter 'color'; this resource has none."


def test_a_parameter_that_is_sent_twice_is_a_422_and_one_with_a_comma_is_one_value() -> None:
    problem = assert_is_problem(call("GET", "/things", query={"limit": [1, 2]}), 422, "invalid-request")
    assert [error["parameter"] for error in problem["errors"]] == ["limit"]
    assert "once" in problem["detail"]
    problem = assert_is_problem(call("GET", "/things", query={"limit": "1,2"}), 422, "invalid-request")
    assert "once" not in problem["detail"]


def test_a_wrong_header_is_a_422_that_names_it() -> None:
    problem = assert_is_problem(call("GET", "/things", headers={"X-Wait": "soon"}), 422, "invalid-request")
    assert problem["errors"][0]["header"].lower() == "x-wait"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/match_id"]),
        ({"match_id": 5}, ["/match_id"]),
        ({"match_id": "e0", "extra": 1}, ["/extra"]),
        ({"match_id": "e0", "features": {"a/b~c": "x"}}, ["/features/a~1b~0c"]),
        ({"size": 6}, ["/match_id", "/size"]),
        ({"match_id": "e0", "features": {"elo": 1}, "size": 2}, [""]),
    ],
)
def test_wrong_fields_of_a_body_are_named_by_json_pointers(body: dict[str, Any], pointers: list[str]) -> None:
    problem = assert_is_problem(call("POST", "/things", body=body), 422, "invalid-request")
    assert sorted(error["pointer"] for error in problem["errors"]) == pointers
    assert all(error["detail"].endswith(".") for error in problem["errors"])


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "nul",
        "null",
        "[]",
        '[{"match_id": "e0"}]',
        '"e0"',
        "5",
        '{"match_id": NaN}',
        "{'match_id': 'e0'}",
        "[" * 5000,
    ],
)
@pytest.mark.parametrize("is_base64", [False, True])
def test_a_body_that_is_no_json_object_is_a_422_at_the_empty_pointer(body: str, is_base64: bool) -> None:
    problem = assert_is_problem(call("POST", "/things", body=body, is_base64=is_base64), 422, "invalid-request")
    assert [error["pointer"] for error in problem["errors"]] == [""]


def test_a_missing_body_is_a_422_at_the_empty_pointer() -> None:
    problem = assert_is_problem(call("POST", "/things"), 422, "invalid-request")
    assert [error["pointer"] for error in problem["errors"]] == [""]


@pytest.mark.parametrize(
    "body", [base64.b64encode(b"\xff\xfe").decode(), base64.b64encode(b'{"match_id": "\xe9"}').decode(), "abc"]
)
def test_a_body_that_cannot_be_decoded_is_a_422(body: str) -> None:
    made = make_api()

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return serve(made, {**event, "body": body}, context)

    problem = assert_is_problem(ask(handler, "POST", "/things", body="x", is_base64=True), 422, "invalid-request")
    assert problem["errors"][0]["pointer"] == ""


def test_a_base64_body_is_read() -> None:
    assert call("POST", "/things", body={"match_id": "e0"}, is_base64=True).json["name"] == "e0"


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"]
)
def test_any_json_content_type_is_accepted(kind: str) -> None:
    assert call("POST", "/things", body={"match_id": "e0"}, headers={"content-type": kind}).status == 202


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx"]
)
def test_another_content_type_is_a_415(kind: str) -> None:
    answer = call("POST", "/things", body="match_id=e0", headers={"content-type": kind})
    assert "application/json" in assert_is_problem(answer, 415, "unsupported-media-type")["detail"]


def test_the_tenant_comes_from_the_token() -> None:
    assert call("GET", "/who").json == {"tenant": TENANT}


@pytest.mark.parametrize("request_", [{"tenant": None}, {"claims": {}}, {"claims": {"client_id": ""}}])
def test_a_token_without_a_tenant_is_refused(request_: dict[str, Any]) -> None:
    assert_is_problem(call("GET", "/who", **request_), 403, "tenant-missing")
