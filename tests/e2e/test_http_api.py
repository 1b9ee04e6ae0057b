"""The HTTP contract on the laptop stack, over HTTP."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from matchcast_tools.laptop.walk import Walk, take
from matchcast_tools.stack.api_client import Answer, ApiClient
from matchcast_tools.stack.deployed import Stack
from matchcast_tools.stack.tokens import fetch_token

pytestmark = pytest.mark.e2e

READ_ROUTES = [
    "/predict/predictions",
    "/predict/precomputed/{match_id}",
    "/predict/cards",
    "/predict/odds",
    "/predict/region-roi",
    "/predict/{match_id}",
    "/predict/model/info",
    "/predict/model/scorecard",
    "/predict/async",
    "/monitoring/task_status/{task_id}",
    "/results/{task_id}",
]
OPEN_ROUTES = ["/health", "/openapi.json"]
PREDICTED = ("home", "draw", "away")


@dataclass(frozen=True)
class Subject:
    """A match of the snapshot and a finished task about it."""

    match_id: str
    task_id: str

    def path(self, route: str) -> str:
        return route.format(match_id=self.match_id, task_id=self.task_id)


@pytest.fixture(scope="module")
def subject(api: ApiClient) -> Subject:
    match_id = api.get("/predict/predictions/", limit=1).expect(200)["items"][0]["match_id"]
    task = api.post("/predict/async/", {"match_id": match_id}).expect(202)
    assert api.wait(task["task_id"], seconds=60)["status"] == "succeeded"
    return Subject(match_id, task["task_id"])


def problem_of(answer: Answer, status: int) -> dict[str, Any]:
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json
    assert problem["status"] == status
    assert {"type", "title", "detail", "instance", "request_id"} <= set(problem)
    return problem


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("route", [*READ_ROUTES, *OPEN_ROUTES])
def test_a_path_with_and_without_its_slash_is_the_same_resource(
    api: ApiClient, subject: Subject, route: str, slash: str
) -> None:
    answer = api.get(subject.path(route) + slash)

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_documentation_is_a_page_of_its_own(api: ApiClient, slash: str) -> None:
    answer = api.get(f"/docs{slash}")

    assert answer.status == 200
    assert b"swagger" in answer.body.lower()


@pytest.mark.parametrize("route", READ_ROUTES)
def test_without_a_valid_token_every_read_is_a_401(stack: Stack, subject: Subject, route: str) -> None:
    anonymous = ApiClient(stack.api_url, stack.host_header)
    forger = ApiClient(stack.api_url, stack.host_header, fetch_token(stack)[:-8] + "AAAAAAAA")

    assert anonymous.get(subject.path(route)).status == 401
    assert forger.get(subject.path(route)).status == 401


def test_each_scope_opens_its_own_routes_and_no_others(stack: Stack, subject: Subject) -> None:
    reader = ApiClient(stack.api_url, stack.host_header, fetch_token(stack, ["predictions/read"]))
    writer = ApiClient(stack.api_url, stack.host_header, fetch_token(stack, ["predictions/write"]))

    assert {writer.get(subject.path(route)).status for route in READ_ROUTES} == {403}
    assert {reader.get(subject.path(route)).status for route in READ_ROUTES} == {200}
    assert reader.post("/predict/async/", {"match_id": subject.match_id}).status == 403
    assert writer.post("/predict/async/", {"match_id": subject.match_id}).status == 202


def test_health_needs_no_token(stack: Stack) -> None:
    health = ApiClient(stack.api_url, stack.host_header).get("/health").expect(200)

    assert health["status"] == "ok"


@pytest.mark.parametrize("route", ["/predict/precomputed/{}", "/predict/{}"])
def test_an_unknown_match_is_a_404(api: ApiClient, route: str) -> None:
    problem_of(api.get(route.format("xx-2020-01-01-nobody-noone")), 404)


def test_an_unknown_match_is_a_404_at_submission_too(api: ApiClient) -> None:
    problem_of(api.post("/predict/async/", {"match_id": "xx-2020-01-01-nobody-noone"}), 404)


def test_an_unknown_stage_is_a_404(api: ApiClient, subject: Subject) -> None:
    problem_of(api.get(f"/predict/{subject.match_id}", stage="nowhere"), 404)
    problem_of(api.get("/predict/model/info", stage="nowhere"), 404)
    problem_of(api.post("/predict/async/", {"match_id": subject.match_id, "stage": "nowhere"}), 404)


def test_unknown_paths_and_methods_are_problems_too(api: ApiClient) -> None:
    problem_of(api.get("/nowhere"), 404)
    answer = api.request("DELETE", "/predict/cards/")
    problem_of(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/predict/", "/predict/async/"])
@pytest.mark.parametrize(("body", "pointer"), [("{", ""), ("[]", ""), ('{"colour": 1}', "/colour")])
def test_a_malformed_body_is_a_422_that_points_at_the_fault(api: ApiClient, path: str, body: str, pointer: str) -> None:
    problem = problem_of(api.request("POST", path, body=body), 422)

    assert pointer in [error.get("pointer") for error in problem["errors"]]


@pytest.mark.parametrize("path", ["/predict/", "/predict/async/"])
def test_features_are_checked_against_the_signature_of_the_served_model(api: ApiClient, path: str) -> None:
    names = [column["name"] for column in api.get("/predict/model/info").expect(200)["signature"]["inputs"]]
    features: dict[str, Any] = {**dict.fromkeys(names, 1.0), names[0]: "much", "colour": 1}
    del features[names[1]]

    problem = problem_of(api.post(path, {"features": features}), 422)

    pointers = {error["pointer"] for error in problem["errors"]}
    assert pointers == {f"/features/{names[0]}", f"/features/{names[1]}", "/features/colour"}


def test_another_tenants_task_is_a_404(stack: Stack, other_tenant_token: str, subject: Subject) -> None:
    other = ApiClient(stack.api_url, stack.host_header, other_tenant_token)

    problem_of(other.get(f"/monitoring/task_status/{subject.task_id}"), 404)
    problem_of(other.get(f"/results/{subject.task_id}"), 404)
    assert other.get("/predict/async/").expect(200)["items"] == []


def test_every_mode_gives_the_same_prediction(api: ApiClient, subject: Subject) -> None:
    precomputed = api.get(f"/predict/precomputed/{subject.match_id}").expect(200)
    on_demand = api.get(f"/predict/{subject.match_id}").expect(200)
    queued = api.get(f"/results/{subject.task_id}").expect(200)

    for other in (on_demand, queued):
        assert [other[k] for k in PREDICTED] == pytest.approx([precomputed[k] for k in PREDICTED], abs=1e-6)
        assert sum(other[k] for k in PREDICTED) == pytest.approx(1, abs=1e-9)


def test_lists_page_without_gaps_and_cursors_belong_to_their_list(
    api: ApiClient, stack: Stack, other_tenant_token: str
) -> None:
    whole = api.get("/predict/predictions/", limit=100).expect(200)
    first = api.get("/predict/predictions/", limit=60).expect(200)
    second = api.get("/predict/predictions/", limit=40, cursor=first["next_cursor"]).expect(200)
    other = ApiClient(stack.api_url, stack.host_header, other_tenant_token)

    assert first["items"] + second["items"] == whole["items"]
    assert other.get("/predict/predictions/", limit=40, cursor=first["next_cursor"]).status == 404
    assert api.get("/predict/cards/", cursor=first["next_cursor"]).status == 404


def test_an_unchanged_answer_is_a_304_and_gzip_is_given_when_asked_for(api: ApiClient) -> None:
    plain = api.get("/predict/predictions/", limit=50)
    same = api.request("GET", "/predict/predictions/?limit=50", headers={"If-None-Match": plain.headers["etag"]})
    packed = api.request("GET", "/predict/predictions/?limit=50", headers={"Accept-Encoding": "gzip"})

    assert (same.status, same.body) == (304, b"")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json == plain.json


def test_a_hundred_submissions_at_once_are_a_hundred_tasks_with_the_right_results(api: ApiClient) -> None:
    # GIVEN
    matches = [item["match_id"] for item in api.get("/predict/predictions/", limit=100).expect(200)["items"]]
    assert len(matches) == 100
    lanes = ["high", "normal"] * 50

    # WHEN
    with ThreadPoolExecutor(100) as threads:
        answers = list(
            threads.map(
                lambda pair: api.post("/predict/async/", {"match_id": pair[0], "priority": pair[1]}),
                zip(matches, lanes, strict=True),
            )
        )
        accepted = [answer.expect(202) for answer in answers]
        tasks = list(threads.map(lambda task: api.wait(task["task_id"], seconds=120), accepted))
        on_demand = list(threads.map(lambda match: api.get(f"/predict/{match}").expect(200), matches))

    # THEN
    assert len({task["task_id"] for task in tasks}) == 100
    assert {task["status"] for task in tasks} == {"succeeded"}
    for match, task, prediction in zip(matches, tasks, on_demand, strict=True):
        assert task["result"]["match_id"] == match
        assert [task["result"][k] for k in PREDICTED] == pytest.approx([prediction[k] for k in PREDICTED], abs=1e-6)


def test_what_was_submitted_is_listed_newest_first(api: ApiClient, subject: Subject) -> None:
    tasks = [api.post("/predict/async/", {"match_id": subject.match_id}).expect(202)["task_id"] for _ in range(3)]

    listed = [task["task_id"] for task in api.get("/predict/async/", limit=3).expect(200)["items"]]

    assert listed == tasks[::-1]


def test_the_walk_of_the_demo_is_right(stack: Stack) -> None:
    page = StringIO()

    take(Walk(ApiClient.of(stack), Console(file=page, width=120)), stack)

    assert page.getvalue().count("POST /predict/async/") >= 2


def test_answers_show_nothing_internal(api: ApiClient, subject: Subject) -> None:
    bodies = [api.get(subject.path(route)).body for route in (*READ_ROUTES, "/nowhere")]
    bodies.append(api.request("POST", "/predict/", body=json.dumps({"features": {"x": [1]}})).body)

    for secret in (b"arn:aws", b"Traceback", b"/python/", b"amazonaws"):
        assert not any(secret in body for body in bodies)
