"""Status, results and lists as clients meet them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from functions.track_tasks.handler import lambda_handler
from matchcast.adapters.in_memory import InMemoryLanes, InMemorySpeeds, InMemoryTasks
from matchcast.bootstrap import http, table, tasks
from matchcast.domain.task import Task, TaskError, TaskStatus
from matchcast.http.cursors import Cursors
from matchcast.tasks.lane_speed import LaneSpeed
from matchcast.tasks.retry import RetryTask
from matchcast.tasks.track import TrackTasks
from tests.support.documented import ask
from tests.support.http_events import Answer
from tests.support.releases import MATCHES
from tests.support.submissions import a_submit
from tests.support.tasks import NOW, a_prediction, a_task


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> InMemoryTasks:
    store = InMemoryTasks()
    monkeypatch.setattr(tasks, "track_tasks", lambda: TrackTasks(store, store, lambda: NOW))
    monkeypatch.setattr(table, "lane_speed", lambda: LaneSpeed(InMemorySpeeds()))
    monkeypatch.setattr(http, "cursors", lambda: Cursors(lambda: b"key"))
    return store


def get(path: str, tenant: str = "north", **query: Any) -> Answer:
    return ask(lambda_handler, "GET", path, query=query, tenant=tenant)


def put(store: InMemoryTasks, **changes: Any) -> Task:
    task = a_task(**changes)
    store.create(task)
    return task


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_finished_task_shows_its_result_and_its_result_is_the_prediction_alone(
    store: InMemoryTasks, slash: str
) -> None:
    # GIVEN
    task = put(store, status=TaskStatus.SUCCEEDED, result=a_prediction(), completed_at=NOW)

    # WHEN
    status = get(f"/monitoring/task_status/{task.task_id}{slash}")
    result = get(f"/results/{task.task_id}{slash}")

    # THEN
    assert (status.status, result.status) == (200, 200)
    assert status.json["result"] == result.json
    assert result.json["home"] == a_prediction().home
    assert set(result.json["model"]) == {"name", "version", "stage", "run_id"}


def test_a_result_that_is_not_there_is_a_202_that_says_when_to_ask(store: InMemoryTasks) -> None:
    task = put(store)

    answer = get(f"/results/{task.task_id}")

    assert (answer.status, answer.headers["retry-after"], answer.json["status"]) == (202, "1", "queued")


def test_a_failed_task_is_a_409_with_its_reason(store: InMemoryTasks) -> None:
    task = put(store, status=TaskStatus.FAILED, error=TaskError(code="match-not-found", detail="No such match."))

    answer = get(f"/results/{task.task_id}")

    assert answer.status == 409
    assert "No such match." in answer.json["detail"]
    assert get(f"/monitoring/task_status/{task.task_id}").json["error"]["code"] == "match-not-found"


@pytest.mark.parametrize("path", ["/monitoring/task_status/", "/results/"])
def test_another_tenants_task_is_a_404_like_one_that_never_existed(store: InMemoryTasks, path: str) -> None:
    task = put(store)

    other, nobodys = get(f"{path}{task.task_id}", tenant="south"), get(f"{path}never-was")

    assert (other.status, nobodys.status) == (404, 404)
    assert other.json["type"] == nobodys.json["type"]


@pytest.mark.parametrize("task_id", ["x" * 2_044, "%00", "01a1fd25-ab87-7a37-bd5a-32af2bce337", "A" * 36, "%ED%A0%80"])
def test_what_cannot_be_a_task_is_a_404_without_a_question_to_the_table(
    store: InMemoryTasks, monkeypatch: pytest.MonkeyPatch, task_id: str
) -> None:
    # GIVEN
    monkeypatch.setattr(store, "get_many", lambda _: pytest.fail("the table was asked"))

    # WHEN
    found = [get(f"/monitoring/task_status/{task_id}"), get(f"/results/{task_id}")]
    found.append(ask(lambda_handler, "DELETE", f"/predict/async/{task_id}", tenant="north"))

    # THEN
    assert [answer.status for answer in found] == [404] * 3
    assert all(len(answer.body) < 1_000 for answer in found)


@pytest.mark.parametrize("path", ["/monitoring/task_status/", "/results/"])
def test_an_expired_task_is_a_410(store: InMemoryTasks, path: str) -> None:
    task = put(store, expires_at=NOW)

    assert get(f"{path}{task.task_id}").status == 410


def test_a_list_pages_with_a_cursor_that_is_bound_to_tenant_and_filters(store: InMemoryTasks) -> None:
    # GIVEN
    made = [put(store, created_at=NOW - timedelta(minutes=n)) for n in range(5)]

    # WHEN
    first = get("/predict/async/", limit=3)
    cursor = first.json["next_cursor"]
    rest = get("/predict/async", limit=3, cursor=cursor)

    # THEN
    ids = [item["task_id"] for item in first.json["items"] + rest.json["items"]]
    assert ids == [task.task_id for task in made]
    assert rest.json["next_cursor"] is None
    # WHEN another tenant, another filter or a broken cursor is sent
    # THEN the cursor is not accepted
    assert get("/predict/async/", tenant="south", limit=3, cursor=cursor).status == 404
    assert get("/predict/async/", status="queued", limit=3, cursor=cursor).status == 404
    assert get("/predict/async/", cursor="not a cursor").status == 422


def test_a_list_can_be_filtered(store: InMemoryTasks) -> None:
    failed = put(store, status=TaskStatus.FAILED)
    put(store)

    assert [item["task_id"] for item in get("/predict/async/", status="failed").json["items"]] == [failed.task_id]
    assert get("/predict/async/", match_id="e0-2020-01-01-no-body").json["items"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", 0),
        ("limit", 101),
        ("limit", "x"),
        ("limit", "1.0"),
        ("limit", "1_0"),
        ("limit", " 5"),
        ("limit", "+5"),
        ("limit", "٣"),
        ("limit", "9" * 5_000),
        ("limit", ""),
        ("status", "lost"),
        ("match_id", "x"),
        ("match_id", "x" * 3_000),
        ("cursor", "x" * 2_001),
        ("colour", "red"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(store: InMemoryTasks, name: str, value: Any) -> None:
    answer = get("/predict/async/", **{name: value})

    assert answer.status == 422
    assert [error["parameter"] for error in answer.json["errors"]] == [name]


def test_a_key_stands_for_the_retry_of_one_task(store: InMemoryTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN two tasks that failed
    retry = RetryTask(tasks.track_tasks(), a_submit(tasks=store, lanes=InMemoryLanes()))
    monkeypatch.setattr(tasks, "retry_task", lambda: retry)
    match, headers = next(iter(MATCHES)), {"Idempotency-Key": '"k"'}
    one, other = (put(store, status=TaskStatus.FAILED, match_id=match) for _ in range(2))

    # WHEN one is tried again twice, and then the other, all with the same key
    first, again, reused = (
        ask(lambda_handler, "POST", f"/predict/async/{old.task_id}/retry", headers=headers, tenant="north")
        for old in (one, one, other)
    )

    # THEN
    assert (first.status, again.status) == (202, 202)
    assert (first.json["retry_of"], again.json["task_id"]) == (one.task_id, first.json["task_id"])
    assert (reused.status, reused.json["type"]) == (422, "urn:matchcast:problem:idempotency-key-reused")
