"""Requests while storage hangs or drips, against services of moto: each is answered within its deadline."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta

import boto3
import pytest

from functions.predict_now import handler as predict_now
from functions.serve_predictions import handler as serve_predictions
from functions.track_tasks import handler as track_tasks
from matchcast import bootstrap
from matchcast.adapters.s3_objects import S3Objects
from matchcast.bootstrap import predictions, releases, snapshots, tasks
from matchcast.http import api, events
from matchcast.releases import readers
from matchcast.snapshots.contract import MATCH_IDS_FILE
from tests.support.documented import ask
from tests.support.faulty_proxy import FaultyProxy
from tests.support.http_events import Answer
from tests.support.moto_services import services
from tests.support.releases import MATCHES, artifact, put_models
from tests.support.snapshots import put_snapshot, snapshot_files
from tests.support.template import deploy_storage

pytestmark = pytest.mark.enable_socket

CLAIMS = {"client_id": "north", "scope": "predictions/read predictions/write"}
MATCH = sorted(MATCHES)[0]
SERVICES = ("s3", "dynamodb", "sqs", "lambda")
LOOK, ACCEPT, LIMIT = 0.2, 0.8, 1.5
SPARE = 1.5
"""Seconds that a busy machine may take on top; without the deadline it would be several more."""
Proxies = Mapping[str, FaultyProxy]


@pytest.fixture(scope="module")
def stack() -> Iterator[Proxies]:
    """Return a proxy before each service of a stack with a release; each function has been asked once."""
    with services() as port, pytest.MonkeyPatch.context() as patch:
        proxies = {name: FaultyProxy(port) for name in SERVICES}
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        names = deploy_storage(boto3.session.Session())
        bucket = S3Objects(boto3.client("s3"), names["DataBucketName"])
        put_models(bucket, {"champion": ("3", artifact("3"))})
        put_snapshot(bucket, {**snapshot_files(), MATCH_IDS_FILE: f"{MATCH}\n".encode()})
        for name, proxy in proxies.items():
            patch.setenv(f"AWS_ENDPOINT_URL_{name.upper()}", proxy.url)
        for name in ("DataBucketName", "TasksTableName", "CursorSecretName", "HighQueueUrl", "NormalQueueUrl"):
            patch.setenv(re.sub("(?<=[a-z])(?=[A-Z])", "_", name).upper(), names[name])
        patch.setenv("RUN_INFERENCE_FUNCTION_NAME", "matchcast-run_inference")
        patch.setenv("SYNC_DEADLINE_SECONDS", str(LIMIT))
        patch.setenv("MODEL_REFRESH_SECONDS", "0.01")
        forget_parts()
        assert MATCH in tasks.submit_prediction()._matches
        assert snapshots.serve_snapshot().current()
        assert releases.models().current()
        # What tests do once takes time too.
        assert (cards().status, lists().status) == (200, 200)
        yield proxies
        forget_parts()
        for proxy in proxies.values():
            proxy.close()


@pytest.fixture
def proxies(stack: Proxies, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxies]:
    """Return the proxies of services in good health, but for an inference that hangs; limits are short."""
    monkeypatch.setattr(predict_now, "ACCEPT_TIME", timedelta(seconds=ACCEPT))
    monkeypatch.setattr(readers, "LOOK_SECONDS", LOOK)
    monkeypatch.setattr(api, "ANSWER_TIME", timedelta(seconds=LIMIT))
    stack["lambda"].fault = "hang"
    yield stack
    for proxy in stack.values():
        proxy.fault, proxy.on_request = "", lambda: None


def forget_parts() -> None:
    """Have the composition root make its parts anew."""
    for info in pkgutil.iter_modules(bootstrap.__path__, bootstrap.__name__ + "."):
        for part in vars(importlib.import_module(info.name)).values():
            if hasattr(part, "cache_clear"):
                part.cache_clear()


def predict(prefer: str, age: float = 0) -> Answer:
    path, headers, taken = f"/predict/{MATCH}", {"Prefer": prefer}, int((time.time() - age) * 1000)
    return ask(predict_now.lambda_handler, "GET", path, headers=headers, claims=CLAIMS, time_epoch=taken)


def cards() -> Answer:
    return ask(serve_predictions.lambda_handler, "GET", "/predict/cards/", claims=CLAIMS)


def lists() -> Answer:
    return ask(track_tasks.lambda_handler, "GET", "/predict/async/", claims=CLAIMS)


def trouble(proxies: Proxies, services: str, fault: str) -> float:
    """Bring services into trouble; return when."""
    for name in services.split("+"):
        proxies[name].fault = fault
    return time.monotonic()


def test_an_accepted_task_is_answered_within_the_wait_though_the_table_hangs_since(proxies: Proxies) -> None:
    # GIVEN a table that hangs as soon as the inference is asked to run an accepted task
    asked = proxies["lambda"].requests
    proxies["lambda"].on_request = lambda: trouble(proxies, "dynamodb", "hang")
    started = time.monotonic()

    # WHEN a client waits a second for the result
    answer = predict("wait=1, respond-async")

    # THEN
    assert (proxies["lambda"].requests > asked, proxies["dynamodb"].fault) == (True, "hang")
    assert (answer.status, answer.headers["retry-after"]) == (202, "1")
    assert 1 <= time.monotonic() - started < 1.25 + SPARE


@pytest.mark.parametrize("fault", ["hang", "drip"])
@pytest.mark.parametrize(("services", "status"), [("dynamodb", 503), ("sqs", 503), ("s3+dynamodb", 503), ("s3", 202)])
def test_whatever_hangs_a_client_knows_soon_whether_its_task_was_accepted(
    proxies: Proxies, services: str, status: int, fault: str
) -> None:
    started = trouble(proxies, services, fault)

    answer = predict("respond-async")

    assert answer.status == status
    assert time.monotonic() - started < ACCEPT + SPARE


@pytest.mark.parametrize(("prefer", "seconds"), [("wait=1", 1), ("", LIMIT)])
def test_a_prediction_is_waited_for_until_the_deadline_whatever_hangs(
    proxies: Proxies, prefer: str, seconds: float
) -> None:
    started = trouble(proxies, "s3+dynamodb", "drip")

    answer = predict(prefer)

    assert answer.status == 504
    assert seconds <= time.monotonic() - started < seconds + SPARE


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_table_in_trouble_is_an_outage_in_time(proxies: Proxies, fault: str) -> None:
    started = trouble(proxies, "dynamodb", fault)

    answer = lists()

    assert answer.status == 503
    assert time.monotonic() - started < LIMIT + SPARE


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_snapshot_in_memory_is_served_after_one_short_look(
    proxies: Proxies, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    # GIVEN a bucket in trouble, and a snapshot that is trusted for a while after a look
    monkeypatch.setattr(releases.snapshots(), "_refresh_seconds", 30)
    monkeypatch.setattr(releases.snapshots(), "_due", 0.0)
    looked = trouble(proxies, "s3", fault)

    # WHEN it is asked for twice
    first, seconds = cards().status, time.monotonic() - looked
    looks = proxies["s3"].requests
    second = cards().status

    # THEN
    assert (first, second) == (200, 200)
    assert seconds < LOOK + SPARE
    assert proxies["s3"].requests == looks


def test_a_request_without_time_leaves_the_look_to_the_next_one(proxies: Proxies) -> None:
    assert predict("respond-async").status == 202
    assert releases.models().problem is None

    assert predict("wait=0").status == 504
    assert releases.models().problem is None


@pytest.mark.parametrize("age", [5.5, 15, 26, 28.5, 3600, -3600])
@pytest.mark.parametrize("prefer", ["respond-async", "wait=2, respond-async"])
def test_a_task_has_its_time_to_be_accepted_though_the_function_started_late(
    proxies: Proxies, monkeypatch: pytest.MonkeyPatch, prefer: str, age: float
) -> None:
    # GIVEN a request that the gateway took a while ago, or whose time a wrong clock says
    monkeypatch.setattr(api, "ANSWER_TIME", events.ANSWER_TIME)
    monkeypatch.setattr(predictions, "sync_deadline", lambda: events.ANSWER_TIME)
    started = time.monotonic()

    # WHEN
    answer = predict(prefer, age)

    # THEN only what is left of the client's wait is waited for
    assert answer.status == 202
    assert time.monotonic() - started < (2 if "wait" in prefer and not 2 <= age < 28 else 0) + SPARE


@pytest.mark.parametrize("age", [28.5, 3600])
def test_a_request_that_the_gateway_gave_up_is_one_that_just_arrived(proxies: Proxies, age: float) -> None:
    started = time.monotonic()

    answer = predict("wait=1", age)

    assert answer.status == 504
    assert 1 <= time.monotonic() - started < 1 + SPARE
