"""`prediction_requests_total`: one record for each request, whichever way it asks and however it ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from moto import mock_aws

from functions.sweep_dead_letters.handler import lambda_handler as sweep_dead_letters
from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.domain.task import Priority, Task, utc_now
from matchcast.errors import TooManyTasks
from matchcast.messages import encode
from matchcast.tasks.open_tasks import OpenTasks
from tests.support.counted_service import MATCH, Count, Service
from tests.support.http_events import Context
from tests.support.releases import MATCHES, SIGNATURE
from tests.support.tasks import a_task

OTHER = list(MATCHES)[1]
REFUSED_LATER = ("async", "unknown", "rejected")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    for name, value in {"ACCESS_KEY_ID": "t", "SECRET_ACCESS_KEY": "t", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        yield Service(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (lambda service: service.get(f"/predict/{MATCH}"), ("sync", "champion", "succeeded")),
        (lambda service: service.get(f"/predict/{MATCH}", "wait=5"), ("sync", "champion", "succeeded")),
        (lambda service: service.get("/predict/e0-1900-01-01-a-b"), ("sync", "champion", "rejected")),
        (lambda service: service.get(f"/predict/{MATCH}", stage="nowhere"), ("sync", "unknown", "rejected")),
        (lambda service: service.get(f"/predict/{MATCH}", "wait=9, respond-async"), ("async", "champion", "succeeded")),
        (lambda service: service.submit(stage="nowhere"), ("async", "unknown", "rejected")),
        (lambda service: service.submit(match_id="e0-1900-01-01-a-b"), ("async", "champion", "rejected")),
        # Refused before the route's own code runs: by validation, for the body, for the token.
        (lambda service: service.get(f"/predict/{MATCH}", stage=""), ("sync", "unknown", "rejected")),
        (
            lambda service: service.get(f"/predict/{MATCH}", "respond-async", other="x"),
            ("async", "unknown", "rejected"),
        ),
        (lambda service: service.post({}), ("sync", "unknown", "rejected")),
        (lambda service: service.post({"features": {"x": "y" * 2**20}}), ("sync", "unknown", "rejected")),
        (lambda service: service.post("", content_type="text/plain"), ("sync", "unknown", "rejected")),
        (lambda service: service.submit(stage="made up", other="x"), ("async", "unknown", "rejected")),
        (lambda service: service.submit(claims={}), ("async", "unknown", "rejected")),
        (lambda service: service.submit(key="a,b"), ("async", "champion", "rejected")),
        (lambda service: service.track("POST", "/predict/async/none/retry", Idempotency_Key="a,b"), REFUSED_LATER),
    ],
)
def test_a_request_that_is_answered_at_once_is_counted_once(
    service: Service, request_: Callable[[Service], object], expected: Count
) -> None:
    request_(service)

    assert service.counted() == [expected]


def test_a_cached_answer_is_counted_too_and_has_no_duration(service: Service) -> None:
    # GIVEN an answer that is kept
    service.get(f"/predict/{MATCH}")
    first = service.lines()

    # WHEN it is asked for again
    service.get(f"/predict/{MATCH}")

    # THEN
    again = service.lines()
    assert sum("prediction_requests_total" in line for line in again) == 1
    assert sum("prediction_duration_seconds" in line for line in first) == 1
    assert not any("prediction_duration_seconds" in line for line in again)


def test_a_model_that_fails_is_counted_as_failed(service: Service) -> None:
    service.model.broken = True

    assert service.get(f"/predict/{MATCH}") == 503
    assert service.counted() == [("sync", "champion", "failed")]


def test_tasks_are_counted_when_they_end_however_often_their_messages_come(service: Service) -> None:
    # GIVEN tasks by submission and by preference, which are not counted yet
    for _ in range(3):
        service.submit()
    service.get(f"/predict/{OTHER}", "respond-async")
    assert service.counted() == []

    # WHEN their messages come twice
    service.receive()
    counted = service.counted()
    service.receive()

    # THEN
    assert counted == [("async", "champion", "succeeded")] * 4
    assert service.counted() == []


def test_a_receive_has_a_duration_and_a_wait_for_each_task_that_succeeds(service: Service) -> None:
    # GIVEN
    for _ in range(3):
        service.submit()
    service.lines()

    # WHEN
    service.receive()

    # THEN
    lines = service.lines()
    durations = [value for line in lines for value in line.get("prediction_duration_seconds", [])]
    waits = [value for line in lines for value in line.get("queue_wait_seconds", [])]
    assert (len(durations), len(waits)) == (3, 3)
    assert all(0 <= value < 5 for value in durations + waits)


def test_a_task_that_is_cancelled_or_found_expired_or_swept_is_counted_once(service: Service) -> None:
    # GIVEN three tasks
    cancelled, late, lost = service.submit(), service.submit(start_within=1), service.submit()
    record = service.tasks.get_many([late, lost])
    service.lanes.bury(Priority.NORMAL, encode(record[lost]), None, lost)

    # WHEN one is cancelled twice, one is read twice after its start deadline, one is swept twice
    for _ in range(2):
        service.track("DELETE", f"/predict/async/{cancelled}")
    _until(record[late].start_by)
    for _ in range(2):
        service.track("GET", f"/monitoring/task_status/{late}")
        sweep_dead_letters({}, Beginning())
    service.receive()

    # THEN
    assert sorted(service.counted()) == [
        ("async", "champion", "cancelled"),
        ("async", "champion", "expired"),
        ("async", "champion", "failed"),
    ]


class Beginning(Context):
    """A sweep that has begun."""

    def get_remaining_time_in_millis(self) -> int:
        return 240_000


def _until(moment: datetime | None) -> None:
    assert moment is not None
    while utc_now() <= moment:
        pass


def test_a_retry_is_counted_when_the_new_task_ends_or_when_it_is_refused(service: Service) -> None:
    # GIVEN a cancelled task
    task_id = service.submit()
    service.track("DELETE", f"/predict/async/{task_id}")
    service.counted()

    # WHEN it is retried, and one that does not exist
    service.track("POST", f"/predict/async/{task_id}/retry")
    service.track("POST", "/predict/async/none/retry")
    service.receive()

    # THEN
    assert service.counted() == [("async", "unknown", "rejected"), ("async", "champion", "succeeded")]


def test_a_repeated_request_is_counted_as_a_replay_and_one_that_is_another_as_rejected(service: Service) -> None:
    # GIVEN a task, and a retry of one that was cancelled
    first, cancelled = service.submit(key="k"), service.submit()
    service.track("DELETE", f"/predict/async/{cancelled}")
    service.track("POST", f"/predict/async/{cancelled}/retry", Idempotency_Key="r")
    service.counted()

    # WHEN both requests are repeated, and the first key comes with another request
    assert service.submit(key="k") == first
    service.track("POST", f"/predict/async/{cancelled}/retry", Idempotency_Key="r")
    assert service.submit(key="k", match_id=OTHER) == "422"

    # THEN each of them has a record of its own
    replayed = ("async", "champion", "replayed")
    assert service.counted() == [replayed, replayed, ("async", "champion", "rejected")]

    # AND each task has one when it ends
    service.receive()
    assert service.counted() == [("async", "champion", "succeeded")] * 2


def test_a_repeated_request_that_waits_is_a_replay_however_often_it_is_computed(service: Service) -> None:
    # GIVEN
    features = dict(zip(SIGNATURE.names, MATCHES[MATCH], strict=True))
    request = {"Prefer": "wait=9, respond-async", "Idempotency_Key": "w"}

    # WHEN
    statuses = [service.post({"features": features}, **request) for _ in range(2)]

    # THEN
    assert statuses == [200, 200]
    assert service.counted() == [("async", "champion", "succeeded"), ("async", "champion", "replayed")]


def test_a_request_above_the_limit_of_open_tasks_is_counted_as_rejected(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise TooManyTasks("full", retry_after=2)

    monkeypatch.setattr(OpenTasks, "check", refuse)

    assert service.submit() == "429"
    assert service.counted() == [("async", "champion", "rejected")]


def test_what_messages_name_is_no_dimension(service: Service) -> None:
    # GIVEN messages of stages that nobody published
    tasks = [a_task(match_id=MATCH, stage=f"stage-{n}", **_lifetime()) for n in range(5)]

    # WHEN
    service.receive(*(encode(task) for task in tasks))

    # THEN
    assert service.counted() == [("async", "unknown", "failed")] * 5


def test_a_postponed_receive_is_counted_as_such(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a table that does not answer
    from matchcast.errors import StorageUnavailable

    def down(self: object, task_ids: object) -> dict[str, Task]:
        raise StorageUnavailable("no table")

    monkeypatch.setattr(DynamoDBTasks, "get_many", down)

    # WHEN
    service.receive(encode(a_task(match_id=MATCH, **_lifetime())))

    # THEN
    lines = service.lines()
    assert [line["tasks_postponed_total"] for line in lines if "tasks_postponed_total" in line] == [[1.0]]


def _lifetime() -> dict[str, datetime]:
    return {"created_at": utc_now(), "expires_at": utc_now() + timedelta(hours=1)}
