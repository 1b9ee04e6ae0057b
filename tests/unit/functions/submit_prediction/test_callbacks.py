"""The address of a callback in a submission: what is checked, what is kept, what a key stands for."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest

from functions.submit_prediction.handler import SubmitRequest, lambda_handler
from matchcast.adapters.in_memory import InMemoryKeys, InMemoryLanes, InMemorySpeeds, InMemoryTasks
from matchcast.domain.task import Task, TaskStatus
from matchcast.domain.webhook import SecretRecord
from matchcast.tasks.lane_speed import LaneSpeed
from matchcast.tasks.retry import RetryTask
from matchcast.tasks.track import TrackTasks
from tests.support.batches import InMemoryBatches
from tests.support.documented import ask
from tests.support.http_events import TENANT, Answer
from tests.support.managed_webhooks import ManagedWebhooks
from tests.support.parts import put
from tests.support.releases import MATCHES
from tests.support.submissions import a_submit
from tests.support.tasks import NOW

MATCH = next(iter(MATCHES))
URL = "https://client.net/hook?token=1"
KEY = {"Idempotency-Key": "k"}


class Desk:
    """The real handler with a tenant that has a secret."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.tasks = InMemoryTasks()
        self.use_case = a_submit(tasks=self.tasks, lanes=InMemoryLanes(), keys=InMemoryKeys())
        put(patch.setattr, {"tasks.submit_prediction": self.use_case, "table.lane_speed": LaneSpeed(InMemorySpeeds())})
        self.secrets = ManagedWebhooks(patch.setattr, self.tasks, InMemoryBatches()).secrets
        self.secrets.add(TENANT, SecretRecord(secret_id="s", created_at=NOW), b"x" * 32)

    def submit(self, url: Any = URL, **request: Any) -> Answer:
        body = {"match_id": MATCH, "callback_url": url}
        return ask(lambda_handler, "POST", "/predict/async/", body=body, **request)

    def task(self, answer: Answer) -> Task:
        task_id = answer.json["task_id"]
        return self.tasks.get_many([task_id])[task_id]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


def test_the_address_is_kept_and_not_shown(desk: Desk) -> None:
    answer = desk.submit()
    assert (answer.status, desk.task(answer).callback_url) == (202, URL)
    assert URL not in answer.body.decode()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://client.net/hook", "address-refused"),
        ("https://10.0.0.1/", "address-refused"),
        ("https://localhost/", "address-refused"),
        ("", "address-refused"),
        (7, "invalid-request"),
        ("https://client.net/" + "x" * 2048, "invalid-request"),
    ],
)
def test_an_address_that_may_not_be_called_is_a_422_that_says_where(desk: Desk, url: Any, code: str) -> None:
    # WHEN
    answer = desk.submit(url)
    # THEN
    assert (answer.status, answer.json["type"].rpartition(":")[2]) == (422, code)
    assert [error["pointer"] for error in answer.json["errors"]] == ["/callback_url"]
    assert desk.tasks.list_ids(TENANT, None, 10).ids == []


def test_a_tenant_without_a_live_secret_is_told_to_make_one(desk: Desk) -> None:
    # GIVEN
    desk.secrets.end(TENANT, "s", NOW)
    # WHEN
    answers = [desk.submit(), desk.submit(tenant="another"), desk.submit(None)]
    # THEN
    assert [answer.status for answer in answers] == [409, 409, 202]
    assert "POST /webhooks/secrets" in answers[0].json["detail"]


def test_a_repeated_request_is_the_same_task_even_when_the_secret_has_ended(desk: Desk) -> None:
    # GIVEN
    first = desk.submit(headers=KEY)
    desk.secrets.end(TENANT, "s", NOW)
    # WHEN
    second, other = desk.submit(headers=KEY), desk.submit("https://client.net/other", headers=KEY)
    # THEN
    assert second.json["task_id"] == first.json["task_id"]
    assert (other.status, other.json["type"].rpartition(":")[2]) == (422, "idempotency-key-reused")


def test_a_key_of_a_request_without_a_callback_means_what_it_always_did() -> None:
    # GIVEN a request as it was before there were callbacks
    before = {"stage": "champion", "priority": "normal", "start_within": None, "match_id": MATCH, "features": None}
    digest = hashlib.sha256(orjson.dumps(before, option=orjson.OPT_SORT_KEYS)).hexdigest()
    # WHEN
    now = SubmitRequest.model_validate({"match_id": MATCH}).fingerprinted()
    # THEN
    assert hashlib.sha256(orjson.dumps(now, option=orjson.OPT_SORT_KEYS)).hexdigest() == digest


def test_a_retry_keeps_the_address(desk: Desk) -> None:
    # GIVEN
    task = desk.task(desk.submit())
    desk.tasks.finish(task.model_copy(update={"status": TaskStatus.CANCELLED, "completed_at": NOW}))
    retry = RetryTask(TrackTasks(desk.tasks, desk.tasks, lambda: NOW), desk.use_case)
    # WHEN
    again, _ = retry.retry(TENANT, task.task_id)
    # THEN
    assert (again.callback_url, again.retry_of) == (URL, task.task_id)
