"""`matchcast webhook` on the function that answers its routes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from matchcast.domain.task import Task, TaskStatus, utc_now
from matchcast.domain.webhook import Attempt, DeliveryState, Event
from matchcast.errors import MatchcastError
from matchcast.http.webhook_envelope import event_data
from matchcast.webhooks.events import event_of
from matchcast_tools.cli import webhook
from matchcast_tools.cli.main import explanation
from matchcast_tools.errors import exit_code
from matchcast_tools.receiver.verify import read_secret
from matchcast_tools.stack.api_client import ApiClient
from tests.support.http_events import TENANT
from tests.support.stored_batches import a_batch
from tests.support.tasks import a_prediction, a_task
from tests.support.webhook_api import WebhookApi

# The function's library for asynchronous handlers makes a pair of sockets.
pytestmark = pytest.mark.enable_socket
URL = "https://client.example.org/hook"
Run = Callable[..., Result]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> WebhookApi:
    made = WebhookApi(monkeypatch)
    nowhere: Any = None
    monkeypatch.setattr(webhook, "find_stack", lambda: nowhere)
    monkeypatch.setattr(ApiClient, "of", classmethod(lambda *_: made))
    return made


@pytest.fixture
def run(api: WebhookApi) -> Run:
    """Run a command; what an error makes of the exit code is that of `main`."""
    app = typer.Typer()
    webhook.register(app)
    app.command("other")(lambda: None)

    def invoke(*words: Any) -> Result:
        done = CliRunner().invoke(app, ["webhook", *map(str, words)])
        error = done.exception
        if isinstance(error, Exception) and not isinstance(error, SystemExit):
            explained = explanation(error)
            assert isinstance(explained, MatchcastError), error
            done.exit_code, done.stderr_bytes = exit_code(explained), explained.detail.encode()
        return done

    return invoke


def an_ended_task(api: WebhookApi, url: str | None = URL) -> Task:
    now = utc_now()
    ended = {"status": TaskStatus.SUCCEEDED, "result": a_prediction(), "completed_at": now}
    task = a_task(tenant=TENANT, created_at=now, callback_url=url, **ended)
    api.tasks.create(task)
    return task


def an_event(task: Task) -> Event:
    event = event_of(task, event_data)
    assert event is not None
    return event


def test_a_new_secret_is_printed_alone_and_listed_without_its_value(run: Run) -> None:
    # WHEN
    made, as_json = run("secret", "create"), run("secret", "create", "--json")
    listed = run("secret", "list", "--json")
    # THEN
    assert (made.exit_code, as_json.exit_code, listed.exit_code) == (0, 0, 0)
    value, shown = made.stdout.strip(), json.loads(as_json.stdout)
    assert len(read_secret(value)) == len(read_secret(shown["secret"])) == 32
    assert "not shown again" in made.stderr
    assert [each["ends_at"] for each in json.loads(listed.stdout)] == [None, None]
    assert json.loads(listed.stdout)[1]["secret_id"] == shown["secret_id"]
    assert value not in listed.stdout
    assert shown["secret_id"] in run("secret", "list").stdout


@pytest.mark.parametrize(
    ("options", "seconds"),
    [([], 86_400), (["--overlap", "90s"], 90), (["--overlap", "0s"], 0), (["--overlap", "7d"], 604_800)],
)
def test_a_rotation_makes_a_secret_and_ends_the_others_later(run: Run, options: list[str], seconds: int) -> None:
    # GIVEN
    old = json.loads(run("secret", "create", "--json").stdout)
    # WHEN
    done = run("secret", "rotate", *options)
    # THEN
    assert done.exit_code == 0
    assert done.stdout.strip() not in {"", old["secret"]}
    first, second = json.loads(run("secret", "list", "--json").stdout)
    left = datetime.fromisoformat(first["ends_at"]) - utc_now()
    assert abs(left.total_seconds() - seconds) < 30
    assert second["ends_at"] is None


def test_a_deleted_secret_signs_no_more_and_the_last_one_is_missed(run: Run) -> None:
    # GIVEN
    first, second = (json.loads(run("secret", "create", "--json").stdout)["secret_id"] for _ in range(2))
    # WHEN
    one, other = run("secret", "delete", first), run("secret", "delete", second)
    # THEN
    assert (one.exit_code, other.exit_code) == (0, 0)
    assert "no secret now" not in one.stderr
    assert "no secret now" in other.stderr
    assert {each["ends_at"] is None for each in json.loads(run("secret", "list", "--json").stdout)} == {False}
    assert run("secret", "delete", "nobody").exit_code == 2


def test_six_live_secrets_are_too_many(run: Run) -> None:
    assert [run("secret", "create").exit_code for _ in range(6)] == [0] * 5 + [2]


def test_deliveries_of_a_task_and_of_a_batch_are_found_by_their_id(run: Run, api: WebhookApi) -> None:
    # GIVEN a task whose event is tried again, and a batch without a callback
    task, batch = an_ended_task(api), a_batch(tenant=TENANT, created_at=utc_now())
    api.batches.create(batch)
    event, now = an_event(task), utc_now()
    api.deliveries.create(event, now)
    delivery = api.deliveries.get(event.event_id)
    assert delivery is not None
    attempt = Attempt(number=1, series=0, started_at=now)
    api.deliveries.claim(delivery, attempt, now)
    claimed = delivery.model_copy(update={"tried": 1})
    ended = attempt.model_copy(update={"ended_at": now + timedelta(seconds=1), "status": 503})
    api.deliveries.end(claimed, ended, DeliveryState.PENDING, now + timedelta(seconds=5), now)
    # WHEN
    of_task, shown = run("deliveries", task.task_id, "--json"), run("deliveries", task.task_id)
    of_batch, of_nobody = run("deliveries", batch.batch_id, "--json"), run("deliveries", "nobody")
    # THEN
    [found] = json.loads(of_task.stdout)
    assert (found["event_id"], found["state"], found["attempts"][0]["status"]) == (event.event_id, "pending", 503)
    assert f"{event.event_id} to {URL}: pending, next attempt" in shown.stdout
    assert "503 after 1000 ms" in shown.stdout
    assert json.loads(of_batch.stdout) == []
    assert "no event" in run("deliveries", batch.batch_id).stdout
    assert of_nobody.exit_code == 2


def test_a_disabled_endpoint_is_listed_and_enabled(run: Run, api: WebhookApi) -> None:
    # GIVEN
    assert "No callback address fails" in run("endpoints").stdout
    failing = api.endpoints.failed(TENANT, URL, utc_now() - timedelta(days=6))
    api.endpoints.disable(failing, utc_now())
    # WHEN
    listed, shown = run("endpoints", "--json"), run("endpoints")
    enabled = run("enable", failing.endpoint_id)
    # THEN
    assert [each["endpoint_id"] for each in json.loads(listed.stdout)] == [failing.endpoint_id]
    assert "disabled" in shown.stdout
    assert (enabled.exit_code, URL in enabled.stdout) == (0, True)
    assert json.loads(run("endpoints", "--json").stdout) == []
    assert run("enable", failing.endpoint_id).exit_code == 2


def test_a_task_or_batch_is_replayed_by_its_id(run: Run, api: WebhookApi) -> None:
    # GIVEN
    task, silent = an_ended_task(api), an_ended_task(api, url=None)
    batch = a_batch(tenant=TENANT, created_at=utc_now(), status="succeeded", completed_at=utc_now(), callback_url=URL)
    api.batches.create(batch)
    # WHEN
    done = [run("replay", subject) for subject in (task.task_id, batch.batch_id, silent.task_id, "nobody")]
    # THEN
    assert [each.exit_code for each in done] == [0, 0, 2, 2]
    sent = [json.loads(body)["event"]["subject_id"] for body, _ in api.queue.sent]
    assert sent == [task.task_id, batch.batch_id]


def test_a_range_is_replayed_by_times_or_by_how_long_ago(run: Run, api: WebhookApi) -> None:
    # WHEN
    assert run("replay", "--since", "2h").exit_code == 0
    assert run("replay", "--since", "2026-11-02T10:00:00", "--until", "2026-11-02T12:00:00+01:00").exit_code == 0
    # THEN
    first, second = (json.loads(body) for body, _ in api.queue.sent)
    since, until = (datetime.fromisoformat(first[name]) for name in ("since", "until"))
    assert abs((until - since) - timedelta(hours=2)) < timedelta(seconds=30)
    assert datetime.fromisoformat(second["since"]) == datetime(2026, 11, 2, 10, tzinfo=UTC)
    assert datetime.fromisoformat(second["until"]) == datetime(2026, 11, 2, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["some-task", "--since", "2h"],
        ["--until", "2h"],
        ["--since", "yesterday"],
        ["--since", "2w"],
        ["--since", "1h", "--until", "2h"],
        ["--since", "2999-01-01T00:00:00Z"],
    ],
)
def test_a_replay_of_nothing_that_can_be_meant_is_refused_before_it_is_sent(
    run: Run, api: WebhookApi, words: list[str]
) -> None:
    assert run("replay", *words).exit_code == 2
    assert api.queue.sent == []
