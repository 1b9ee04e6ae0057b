"""Secrets, endpoints, deliveries and replays as clients meet them."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from matchcast.domain.batch import BatchStatus
from matchcast.domain.webhook import Attempt, DeliveryState
from matchcast.webhook_messages import NewEvent, NextAttempt, ReplayRange, decode_webhook_message
from tests.support.http_events import Answer
from tests.support.stored_batches import a_batch
from tests.support.tasks import NOW, a_task
from tests.support.webhooks import URL, an_ended_task
from tests.unit.functions.manage_webhooks.conftest import Desk

SECRETS, REPLAY = "/webhooks/secrets", "/webhooks/replay"


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["type"].rpartition(":")[2]


def test_a_secret_is_shown_once_and_ends_for_its_tenant_alone(desk: Desk) -> None:
    # WHEN
    made = desk.ask("POST", SECRETS, {})
    # THEN
    assert (made.status, made.headers["cache-control"]) == (201, "no-store")
    kind, _, value = made.json["secret"].partition("_")
    assert (kind, len(base64.b64decode(value))) == ("whsec", 32)
    [shown] = desk.secrets()
    assert shown == {key: item for key, item in made.json.items() if key != "secret"}
    # AND another tenant neither sees nor ends it
    path = f"{SECRETS}/{shown['secret_id']}"
    assert desk.secrets("south") == []
    assert code(desk.ask("DELETE", path, tenant="south")) == (404, "secret-not-found")
    assert [desk.ask("DELETE", path).json["ends_at"] for _ in range(2)] == ["2026-03-01T12:00:00Z"] * 2


def test_a_new_secret_retires_the_others_and_six_are_too_many(desk: Desk) -> None:
    # GIVEN
    for _ in range(4):
        desk.ask("POST", SECRETS, {})
    # WHEN
    desk.ask("POST", SECRETS, {"retire_others_in": 60})
    # THEN
    assert sorted(str(each["ends_at"]) for each in desk.secrets()) == ["2026-03-01T12:01:00Z"] * 4 + ["None"]
    assert code(desk.ask("POST", SECRETS, {})) == (409, "too-many-secrets")


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        (SECRETS, {"retire_others_in": -1}, "/retire_others_in"),
        (SECRETS, {"retire_others_in": "60"}, "/retire_others_in"),
        (SECRETS, {"retire_others_in": 1.5}, "/retire_others_in"),
        (SECRETS, {"secret": "whsec_mine"}, "/secret"),
        (REPLAY, {}, ""),
        (REPLAY, {"task_id": "a", "batch_id": "b"}, ""),
        (REPLAY, {"task_id": None, "since": None}, ""),
        (REPLAY, {"until": "2026-03-01T12:00:00Z"}, ""),
        (REPLAY, {"since": "2026-03-01T12:00:00Z", "until": "2026-03-01T12:00:00Z"}, "/since"),
        (REPLAY, {"since": 1_772_366_400}, "/since"),
        (REPLAY, {"since": "1700000000"}, "/since"),
        (REPLAY, {"since": "2020-01-01T00:00:00Z", "until": "0001-01-01T00:00:00+23:59"}, "/since"),
        (REPLAY, {"since": "2026-03-01T12:00:00"}, "/since"),
        (REPLAY, {"since": "2026-03-01T13:00:00Z"}, "/since"),
        (REPLAY, {"task_id": "x" * 65}, "/task_id"),
    ],
)
def test_what_is_no_request_is_a_422_that_leaves_nothing(
    desk: Desk, path: str, body: dict[str, Any], pointer: str
) -> None:
    answer = desk.ask("POST", path, body)
    assert (answer.status, [error["pointer"] for error in answer.json["errors"]]) == (422, [pointer])
    assert (desk.secrets(), desk.webhooks.queue.sent) == ([], [])


def test_deliveries_show_every_attempt_to_the_tenant_of_the_task(desk: Desk) -> None:
    # GIVEN an event whose first attempt failed
    task = an_ended_task()
    desk.tasks.create(task)
    event = desk.webhooks.record(task)
    path, store = f"/predict/async/{task.task_id}/deliveries", desk.webhooks.deliveries
    delivery = store.get(event.event_id)
    assert delivery is not None
    attempt = Attempt(number=1, series=0, started_at=NOW)
    store.claim(delivery, attempt, NOW)
    claimed = store.get(event.event_id)
    assert claimed is not None
    [running] = desk.ask("GET", path).json["deliveries"]
    ended = attempt.model_copy(update={"ended_at": NOW + timedelta(milliseconds=250), "status": 500})
    later = NOW + timedelta(seconds=5)
    store.end(claimed, ended, DeliveryState.PENDING, later, later)
    # WHEN
    [shown] = desk.ask("GET", path).json["deliveries"]
    # THEN
    assert (running["attempts"][0]["duration_ms"], running["attempts"][0]["status"]) == (None, None)
    assert shown == {
        "event_id": event.event_id,
        "type": "task.succeeded",
        "url": URL,
        "state": "pending",
        "attempts": [
            {
                "number": 1,
                "series": 0,
                "started_at": "2026-03-01T12:00:00Z",
                "duration_ms": 250,
                "status": 500,
                "error": None,
            }
        ],
        "next_attempt_at": "2026-03-01T12:00:05Z",
    }
    assert code(desk.ask("GET", path, tenant="south")) == (404, "task-not-found")


@pytest.mark.parametrize(("age", "expected"), [(0, 200), (2, 410), (20, 404)])
def test_deliveries_are_readable_as_long_as_their_task_or_batch(desk: Desk, age: int, expected: int) -> None:
    # GIVEN
    created_at = NOW - timedelta(days=age)
    task, batch = a_task(created_at=created_at), a_batch(tenant="north", created_at=created_at)
    desk.tasks.create(task)
    desk.batches.create(batch)
    # WHEN
    paths = f"/predict/async/{task.task_id}/deliveries", f"/predict/batch/{batch.batch_id}/deliveries"
    answers = [desk.ask("GET", path) for path in paths]
    # THEN
    assert [answer.status for answer in answers] == [expected, expected]
    if expected == 200:
        assert [answer.json for answer in answers] == [{"deliveries": []}] * 2


def test_a_replay_sends_the_recorded_event_or_makes_the_one_that_was_lost(desk: Desk) -> None:
    # GIVEN a task whose event is recorded, and a batch whose event never came
    task = an_ended_task()
    batch = a_batch(tenant="north", status=BatchStatus.SUCCEEDED, completed_at=NOW, callback_url=URL)
    desk.tasks.create(task)
    desk.batches.create(batch)
    event = desk.webhooks.record(task)
    desk.webhooks.stop(event)
    # WHEN
    answers = [desk.ask("POST", REPLAY, body) for body in ({"task_id": task.task_id}, {"batch_id": batch.batch_id})]
    # THEN
    assert [(answer.status, answer.json) for answer in answers] == [(202, {"events": 1})] * 2
    again, lost = [decode_webhook_message(body) for body, _ in desk.webhooks.queue.sent]
    assert isinstance(again, NextAttempt)
    assert (again.event_id, again.series) == (event.event_id, 1)
    assert isinstance(lost, NewEvent)
    assert lost.event.type == "batch.completed"
    # AND nobody else can
    assert code(desk.ask("POST", REPLAY, {"task_id": task.task_id}, tenant="south")) == (404, "task-not-found")


def test_what_has_no_event_is_not_replayed(desk: Desk) -> None:
    # GIVEN
    queued, silent = a_task(callback_url=URL), an_ended_task(callback_url=None)
    for task in (queued, silent):
        desk.tasks.create(task)
    # WHEN
    answers = [desk.ask("POST", REPLAY, {"task_id": task.task_id}) for task in (queued, silent)]
    # THEN
    assert [code(answer) for answer in answers] == [(409, "conflict")] * 2
    assert desk.webhooks.queue.sent == []


def test_a_range_of_time_is_looked_for_later(desk: Desk) -> None:
    # WHEN
    answer = desk.ask("POST", REPLAY, {"since": "2026-03-01T10:00:00+01:00", "until": "2026-03-01T11:00:00Z"})
    # THEN
    assert (answer.status, answer.json) == (202, {"events": None})
    [(body, _)] = desk.webhooks.queue.sent
    hours = timedelta(hours=1)
    assert decode_webhook_message(body) == ReplayRange(
        tenant="north", since=NOW - 3 * hours, until=NOW - hours, requested_at=NOW
    )


def test_an_endpoint_that_fails_is_shown_and_enabled(desk: Desk) -> None:
    # GIVEN
    endpoint = desk.webhooks.endpoints.failed("north", URL, NOW)
    desk.webhooks.endpoints.disable(endpoint, NOW)
    # WHEN
    [shown] = desk.ask("GET", "/webhooks/endpoints").json["endpoints"]
    path = f"/webhooks/endpoints/{shown['endpoint_id']}/enable"
    # THEN
    assert (shown["url"], shown["disabled_at"]) == (URL, "2026-03-01T12:00:00Z")
    assert desk.ask("GET", "/webhooks/endpoints", tenant="south").json == {"endpoints": []}
    assert code(desk.ask("POST", path, {}, tenant="south")) == (404, "endpoint-not-found")
    assert desk.ask("POST", path).json == shown | {"failing_since": None, "disabled_at": None}
    assert desk.ask("GET", "/webhooks/endpoints").json == {"endpoints": []}
