"""Callbacks on the laptop stack, as a receiver meets them with the library of Standard Webhooks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from matchcast_tools.stack.api_client import ApiClient
from tests.e2e.conftest import ADMITTED_PORTS
from tests.support.callback_receiver import CallbackReceiver, Delivered

PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def receiver() -> Iterator[CallbackReceiver]:
    started = CallbackReceiver()
    ADMITTED_PORTS.add(started.port)
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def api(make_tenant: Callable[[str], str], client_with: Callable[[str | None], ApiClient]) -> ApiClient:
    """An HTTP client of a tenant that nobody else uses."""
    return client_with(make_tenant("callbacks"))


@pytest.fixture
def stranger(client_with: Callable[[str | None], ApiClient], other_tenant_token: str) -> ApiClient:
    """An HTTP client of another tenant."""
    return client_with(other_tenant_token)


@pytest.fixture(scope="module")
def match(api: ApiClient) -> str:
    return str(api.get("/predict/predictions/", limit=1).expect(200)["items"][0]["match_id"])


@pytest.fixture
def secret(api: ApiClient) -> str:
    """The only live secret of the tenant."""
    return str(api.post("/webhooks/secrets", {"retire_others_in": 0}).expect(201)["secret"])


def verified(delivered: Delivered, secret: str, body: bytes | None = None) -> Any:
    """Return the event of a request as the library gives it to a receiver."""
    return Webhook(secret).verify(
        body or delivered.body, {key.lower(): each for key, each in delivered.headers.items()}
    )


def is_refused(delivered: Delivered, secret: str, body: bytes | None = None) -> bool:
    try:
        verified(delivered, secret, body)
    except WebhookVerificationError:
        return True
    return False


def submit(api: ApiClient, match: str, url: str) -> str:
    return str(api.post("/predict/async/", {"match_id": match, "callback_url": url}).expect(202)["task_id"])


def deliveries(api: ApiClient, path: str, state: str) -> list[dict[str, Any]]:
    """Return the deliveries of a task or batch once the last one is in a state."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found: list[dict[str, Any]] = api.get(f"{path}/deliveries").expect(200)["deliveries"]
        if found and found[-1]["state"] == state:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_without_a_secret_nothing_is_accepted_and_inside_nothing_is_called(
    make_tenant: Callable[[str], str], client_with: Callable[[str | None], ApiClient], match: str
) -> None:
    # GIVEN a tenant that has no secret yet
    api = client_with(make_tenant("callbacks without a secret"))
    # WHEN
    answers = [
        api.post(path, {**body, "callback_url": url})
        for path, body in (("/predict/async/", {"match_id": match}), ("/predict/batch/", {"match_ids": [match]}))
        for url in ("https://example.com/hook", "https://169.254.169.254/latest/meta-data/")
    ]
    # THEN
    assert [answer.status for answer in answers] == [409, 422, 409, 422]
    problems = [answer.expect(409, 422) for answer in answers]
    assert [each["type"].rpartition(":")[2] for each in problems[:2]] == ["webhook-secret-missing", "address-refused"]
    assert [error["pointer"] for each in problems[1::2] for error in each["errors"]] == ["/callback_url"] * 2


def test_a_task_calls_back_once_signed_with_what_its_status_says(
    api: ApiClient, match: str, receiver: CallbackReceiver, secret: str
) -> None:
    # WHEN
    task_id = submit(api, match, receiver.url("/task"))
    [delivered] = receiver.wait_for("/task")
    # THEN the receiver's library takes it, and not if a byte is another one
    event = verified(delivered, secret)
    assert is_refused(delivered, secret, delivered.body[:-2] + b" }")
    assert event["type"] == "task.succeeded"
    assert event["data"] == api.get(f"/monitoring/task_status/{task_id}").expect(200)
    assert event["timestamp"] == event["data"]["completed_at"]
    assert delivered.headers["webhook-id"] == f"evt_{task_id.replace('-', '')}_0"
    # AND the tenant sees it
    [shown] = deliveries(api, f"/predict/async/{task_id}", "delivered")
    assert (shown["event_id"], shown["url"]) == (delivered.headers["webhook-id"], receiver.url("/task"))
    assert [(each["number"], each["status"], each["error"]) for each in shown["attempts"]] == [(1, 204, None)]
    assert shown["attempts"][0]["duration_ms"] >= 0
    assert shown["next_attempt_at"] is None


def test_a_batch_calls_back_and_no_other_tenant_sees_it(
    api: ApiClient, match: str, receiver: CallbackReceiver, secret: str, stranger: ApiClient
) -> None:
    # WHEN
    body = {"match_ids": [match], "callback_url": receiver.url("/batch")}
    batch_id = api.post("/predict/batch/", body).expect(202)["batch_id"]
    [delivered] = receiver.wait_for("/batch")
    # THEN
    event = verified(delivered, secret)
    assert event["type"] == "batch.completed"
    assert event["data"] == api.get(f"/predict/batch/{batch_id}").expect(200)
    deliveries(api, f"/predict/batch/{batch_id}", "delivered")
    # AND for others there is none
    assert stranger.get(f"/predict/batch/{batch_id}/deliveries").status == 404
    assert stranger.post("/webhooks/replay", {"batch_id": batch_id}).status == 404


def test_a_receiver_that_fails_gets_the_same_event_again(
    api: ApiClient, match: str, receiver: CallbackReceiver, secret: str
) -> None:
    # WHEN
    task_id = submit(api, match, receiver.url("/shaky", 500))
    first, second = receiver.wait_for("/shaky", 2)
    # THEN
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) >= 4
    assert verified(second, secret) == verified(first, secret)
    [shown] = deliveries(api, f"/predict/async/{task_id}", "delivered")
    assert [each["status"] for each in shown["attempts"]] == [500, 204]
    assert api.get("/webhooks/endpoints").expect(200) == {"endpoints": []}


def test_a_secret_is_changed_without_a_gap(api: ApiClient, match: str, receiver: CallbackReceiver, secret: str) -> None:
    # GIVEN a second secret beside the first
    made = api.post("/webhooks/secrets", {"retire_others_in": 3600}).expect(201)
    live = api.get("/webhooks/secrets").expect(200)["secrets"]
    assert "secret" not in live[0]
    # WHEN
    submit(api, match, receiver.url("/both"))
    [delivered] = receiver.wait_for("/both")
    # THEN both verify
    assert len(delivered.headers["webhook-signature"].split(" ")) == 2
    assert verified(delivered, secret) == verified(delivered, made["secret"])
    # WHEN the first one is ended
    old = next(each for each in reversed(live) if each["secret_id"] != made["secret_id"])
    api.request("DELETE", f"/webhooks/secrets/{old['secret_id']}").expect(200)
    submit(api, match, receiver.url("/one"))
    [delivered] = receiver.wait_for("/one")
    # THEN
    assert verified(delivered, made["secret"])
    assert is_refused(delivered, secret)


def test_a_receiver_stops_an_event_by_410_and_a_replay_sends_it_again_under_its_id(
    api: ApiClient, match: str, receiver: CallbackReceiver, secret: str
) -> None:
    # GIVEN
    task_id = submit(api, match, receiver.url("/gone", 410))
    path = f"/predict/async/{task_id}"
    [stopped] = deliveries(api, path, "stopped")
    assert (stopped["next_attempt_at"], [each["status"] for each in stopped["attempts"]]) == (None, [410])
    assert len(receiver.got("/gone")) == 1
    # WHEN
    assert api.post("/webhooks/replay", {"task_id": task_id}).expect(202) == {"events": 1}
    first, second = receiver.wait_for("/gone", 2)
    # THEN
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert verified(second, secret) == json.loads(first.body)
    [shown] = deliveries(api, path, "delivered")
    assert [(each["series"], each["number"], each["status"]) for each in shown["attempts"]] == [
        (0, 1, 410),
        (1, 1, 204),
    ]


def test_every_event_of_a_range_of_time_is_sent_again(
    api: ApiClient, match: str, receiver: CallbackReceiver, secret: str
) -> None:
    # GIVEN
    ids = {submit(api, match, receiver.url(f"/range/{number}")) for number in range(3)}
    before = [each for number in range(3) for each in receiver.wait_for(f"/range/{number}")]
    for task_id in ids:
        deliveries(api, f"/predict/async/{task_id}", "delivered")
    since = min(json.loads(each.body)["timestamp"] for each in before)
    # WHEN
    assert api.post("/webhooks/replay", {"since": since}).expect(202) == {"events": None}
    # THEN
    after = [receiver.wait_for(f"/range/{number}", 2)[1] for number in range(3)]
    assert [each.headers["webhook-id"] for each in after] == [each.headers["webhook-id"] for each in before]
    assert all(verified(each, secret) for each in after)
