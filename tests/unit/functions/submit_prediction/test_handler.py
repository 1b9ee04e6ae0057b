"""POST /predict/async/ as clients meet it."""

from __future__ import annotations

from typing import Any

import pytest

from functions.submit_prediction.handler import lambda_handler
from matchcast.adapters.in_memory import InMemoryLanes, InMemorySpeeds, InMemoryTasks
from matchcast.domain.task import Priority
from matchcast.tasks.lane_speed import LaneSpeed
from tests.support.documented import ask
from tests.support.http_events import TENANT, Answer
from tests.support.parts import put
from tests.support.releases import MATCHES
from tests.support.submissions import a_submit

MATCH = next(iter(MATCHES))


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> InMemoryTasks:
    store, speeds = InMemoryTasks(), InMemorySpeeds({Priority.HIGH: 7.2})
    use_case = a_submit(tasks=store, lanes=InMemoryLanes())
    put(monkeypatch.setattr, {"tasks.submit_prediction": use_case, "table.lane_speed": LaneSpeed(speeds)})
    return store


def submit(body: Any, **request: Any) -> Answer:
    return ask(lambda_handler, "POST", "/predict/async/", body=body, **request)


@pytest.mark.usefixtures("tasks")
@pytest.mark.parametrize("path", ["/predict/async", "/predict/async/"])
def test_a_submission_is_answered_with_202_and_where_to_ask(path: str) -> None:
    # WHEN
    answer = ask(lambda_handler, "POST", path, body={"match_id": MATCH, "priority": "high"})

    # THEN
    task_id = answer.json["task_id"]
    assert answer.status == 202
    assert answer.headers["location"] == f"/monitoring/task_status/{task_id}"
    assert answer.headers["retry-after"] == "8"
    assert answer.json == {
        "task_id": task_id,
        "status": "queued",
        "match_id": MATCH,
        "stage": "champion",
        "priority": "high",
        "result": None,
        "error": None,
        "attempts": 0,
        "generation": 0,
        "created_at": "2026-03-01T12:00:00Z",
        "completed_at": None,
        "start_by": None,
        "expires_at": "2026-03-01T13:00:00Z",
        "retry_of": None,
        "batch_id": None,
        "links": {"status": f"/monitoring/task_status/{task_id}", "result": f"/results/{task_id}"},
    }


def test_a_task_belongs_to_the_tenant_of_the_token(tasks: InMemoryTasks) -> None:
    answer = submit({"match_id": MATCH}, tenant="tenant-x")

    assert list(tasks.list_ids("tenant-x", None, 10).ids) == [answer.json["task_id"]]
    assert list(tasks.list_ids(TENANT, None, 10).ids) == []


@pytest.mark.usefixtures("tasks")
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ("{", ""),
        ("[]", ""),
        ({}, ""),
        ({"match_id": MATCH, "features": {}}, ""),
        ({"match_id": 7}, "/match_id"),
        ({"match_id": MATCH, "priority": "urgent"}, "/priority"),
        ({"match_id": MATCH, "start_within": 0}, "/start_within"),
        ({"match_id": MATCH, "start_within": 4000}, "/start_within"),
        ({"match_id": MATCH, "colour": "red"}, "/colour"),
        ({"features": {"elo_difference": "x", "form": 1}}, "/features/elo_difference"),
    ],
)
def test_a_body_that_cannot_be_used_is_a_422_with_a_pointer(body: Any, pointer: str) -> None:
    answer = submit(body)

    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


@pytest.mark.usefixtures("tasks")
@pytest.mark.parametrize("body", [{"match_id": "e0-2020-01-01-no-body"}, {"match_id": MATCH, "stage": "nowhere"}])
def test_an_unknown_match_or_stage_is_a_404_at_submission(body: Any) -> None:
    assert submit(body).status == 404


@pytest.mark.usefixtures("tasks")
def test_a_token_without_a_tenant_is_a_403() -> None:
    answer = submit({"match_id": MATCH}, tenant=None)

    assert (answer.status, answer.json["title"]) == (403, "Token without a tenant")
