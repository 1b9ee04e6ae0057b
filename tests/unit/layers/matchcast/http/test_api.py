from __future__ import annotations

import base64
from typing import Annotated, Any

import pytest
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from matchcast.errors import DeadlineExceeded, MatchNotFound, StorageUnavailable
from matchcast.http.api import Api, serve
from matchcast.observability import MetricUnit, metrics
from tests.support.http_events import REQUEST_ID, TENANT, Answer, ask
from tests.support.logs import capture_logs


class Thing(BaseModel):
    name: str
    size: int = 1


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    match_id: str
    features: dict[str, float] = {}
    size: int = Field(default=1, le=5)

    @model_validator(mode="after")
    def not_both(self) -> Order:
        if self.features and self.size == 2:
            raise ValueError("send either features or size 2")
        return self


FAILURES = {
    "match": MatchNotFound("No match of the snapshot has the id x."),
    "bucket": StorageUnavailable("The data bucket secret-bucket did not answer."),
    "late": DeadlineExceeded("The prediction did not finish within 28 seconds."),
    "unexpected": RuntimeError("secret reason in /var/task/secret.py"),
}


def make_api(**options: Any) -> Api:
    api = Api(**options)

    @api.get("/things/")
    def things(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        wait: Annotated[int | None, Header(alias="X-Wait")] = None,
    ) -> dict[str, Any]:
        return {"limit": limit, "wait": wait}

    @api.get("/things/fixed")
    def fixed() -> Thing:
        return Thing(name="fixed")

    @api.get("/things/<name>")
    def thing(name: str) -> Thing:
        return Thing(name=name)

    @api.post("/things/")
    def order(body: Order) -> Response[Thing]:
        return Response(202, body=Thing(name=body.match_id, size=body.size), headers={"Location": "/there"})

    @api.get("/who")
    def who() -> dict[str, str]:
        return {"tenant": api.tenant("client_id")}

    @api.get("/fails/<kind>")
    def fails(kind: str) -> Thing:
        metrics.add_metric("failures", MetricUnit.Count, 1)
        if kind == "answer":
            return {"size": "large"}  # type: ignore[return-value]
        raise FAILURES[kind]

    return api


def call(method: str, path: str, *, api: Api | None = None, **request: Any) -> Answer:
    made = api or make_api()
    return ask(lambda event, context: serve(made, event, context), method, path, **request)


def assert_is_problem(answer: Answer, status: int, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = answer.json
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:matchcast:problem:{code}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == REQUEST_ID
    return problem


@pytest.mark.parametrize("path", ["/things", "/things/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_is_the_same_with_and_without_its_trailing_slash(method: str, path: str) -> None:
    body = {"match_id": "e0"} if method == "POST" else None
    assert call(method, path, body=body).status in (200, 202)


@pytest.mark.parametrize("path", ["//things", "/things//", "/thingsx", "/things/a/b", "/"])
def test_other_paths_are_not_taken_for_a_route(path: str) -> None:
    assert_is_problem(call("GET", path), 404, "route-not-found")


def test_a_fixed_path_goes_before_one_with_a_placeholder() -> None:
    assert call("GET", "/things/fixed").json == {"name": "fixed", "size": 1}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/things/a%20b/", "a b"),
        ("/things/a%2Fb", "a/b"),
        ("/things/caf%C3%A9", "café"),
        ("/things/⚽", "⚽"),
        ('/things/"#?', '"#?'),
        ("/things/%FF", "\ufffd"),
    ],
)
def test_a_segment_of_any_characters_reaches_its_route_decoded(path: str, name: str) -> None:
    assert call("GET", path).json["name"] == name


def test_a_model_is_answered_as_json_with_the_status_and_headers_of_the_route() -> None:
    answer = call("POST", "/things/", body={"match_id": "e0", "size": 3})
    assert (answer.status, answer.json) == (202, {"name": "e0", "size": 3})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["location"] == "/there"


def test_an_unknown_path_is_a_404_problem_with_the_path_as_its_instance() -> None:
    problem = assert_is_problem(call("GET", "/nothing/ä b"), 404, "route-not-found")
    assert problem["instance"] == "/nothing/%C3%A4%20b"


def test_a_known_path_under_another_method_is_a_405_that_says_which_are_allowed() -> None:
    answer = call("DELETE", "/things")
    assert_is_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, POST"


def test_the_methods_of_a_fixed_path_are_its_own_and_not_those_of_a_placeholder() -> None:
    known = {"/a/{name}": ["get", "delete"], "/a/fixed/": ["post"]}
    answer = call("GET", "/a/fixed", api=make_api(known=lambda: known))
    assert_is_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


def test_a_path_of_the_whole_api_is_known_where_the_function_has_no_route_for_it() -> None:
    known = {"/elsewhere/{name}/part": ["get"]}
    api = make_api(known=lambda: known)
    assert call("PUT", "/elsewhere/x/part/", api=api).status == 405
    assert call("GET", "/elsewhere/x", api=api).status == 404


@pytest.mark.parametrize("limit", ["0", "1001", "ten", "", "1.5"])
def test_a_wrong_query_parameter_is_a_422_that_names_it(limit: str) -> None:
    problem = assert_is_problem(call("GET", "/things", query={"limit": limit}), 422, "invalid-request")
    assert [error["parameter"] for error in problem["errors"]] == ["limit"]
    assert "pointer" not in problem["errors"][0]


def test_a_repeated_query_parameter_that_takes_one_value_is_a_422() -> None:
    problem = assert_is_problem(call("GET", "/things", query={"limit": ["5", "6"]}), 422, "invalid-request")
    assert problem["errors"][0]["parameter"] == "limit"


def test_an_unknown_query_parameter_is_ignored() -> None:
    assert call("GET", "/things", query={"color": "red"}).json["limit"] == 100


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


def test_no_error_repeats_what_the_client_sent() -> None:
    answer = call("POST", "/things", body={"match_id": ["hunter2"], "size": "hunter2"})
    assert b"hunter2" not in answer.body


def test_an_error_of_the_product_is_answered_with_its_own_status_and_reason() -> None:
    problem = assert_is_problem(call("GET", "/fails/match"), 404, "match-not-found")
    assert problem["detail"] == "No match of the snapshot has the id x."


def test_a_fault_behind_the_service_is_a_503_without_internals_that_says_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logged = capture_logs(monkeypatch)
    answer = call("GET", "/fails/bucket")
    assert_is_problem(answer, 503, "storage-unavailable")
    assert answer.headers["retry-after"] == "5"
    assert b"secret-bucket" not in answer.body
    assert "secret-bucket" in logged.getvalue()


def test_a_deadline_says_that_time_ran_out() -> None:
    assert "in time" in assert_is_problem(call("GET", "/fails/late"), 504, "deadline-exceeded")["detail"]


@pytest.mark.parametrize("kind", ["unexpected", "answer"])
def test_an_unexpected_error_is_logged_and_answered_without_its_reason(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = capture_logs(monkeypatch)
    answer = call("GET", f"/fails/{kind}")
    assert_is_problem(answer, 500, "internal-error")
    assert b"secret" not in answer.body
    assert b"large" not in answer.body
    [line] = logged.lines
    assert (line["level"], line["correlation_id"]) == ("ERROR", REQUEST_ID)
    assert "Traceback" in line["exception"]


def test_no_error_may_be_kept_by_a_cache() -> None:
    assert call("GET", "/nothing").headers["cache-control"] == "no-store"


def test_the_tenant_comes_from_the_token() -> None:
    assert call("GET", "/who").json == {"tenant": TENANT}


@pytest.mark.parametrize("request_", [{"tenant": None}, {"claims": {}}, {"claims": {"client_id": ""}}])
def test_a_token_without_a_tenant_is_refused(request_: dict[str, Any]) -> None:
    assert_is_problem(call("GET", "/who", **request_), 403, "tenant-missing")


def test_metrics_are_flushed_after_an_error_too_and_never_when_there_are_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    call("GET", "/things")
    assert "_aws" not in capsys.readouterr().out
    call("GET", "/fails/match")
    assert '"failures"' in capsys.readouterr().out
