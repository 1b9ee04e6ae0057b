"""Calls of the SDK within a limit, against real services of moto behind a proxy that hangs, drips or lies."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from matchcast.adapters.dynamodb_records import DynamoDBSpeeds
from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.adapters.s3_objects import S3Objects
from matchcast.adapters.sqs_lanes import SQSLanes
from matchcast.adapters.timed_calls import MOST_CALLS
from matchcast.bootstrap import parts
from matchcast.deadline import within
from matchcast.domain.task import Priority
from matchcast.errors import QueueUnavailable, StorageUnavailable, Transient
from tests.support.faulty_proxy import FaultyProxy
from tests.support.moto_services import services
from tests.support.tasks import NOW, a_task
from tests.support.template import deploy_storage

pytestmark = pytest.mark.enable_socket

LIMIT = 0.3
BODY = b"a body of some length"


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[FaultyProxy, dict[str, str]]]:
    with services() as port, pytest.MonkeyPatch.context() as patch:
        proxy = FaultyProxy(port)
        patch.setenv("AWS_ENDPOINT_URL", proxy.url)
        names = deploy_storage(boto3.session.Session())
        S3Objects(boto3.client("s3"), names["DataBucketName"]).put("key", BODY)
        yield proxy, names
        proxy.close()


@pytest.fixture
def proxy(service: tuple[FaultyProxy, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", service[0].url)
    yield service[0]
    service[0].fault = ""


@pytest.fixture
def calls(proxy: FaultyProxy, service: tuple[FaultyProxy, dict[str, str]]) -> dict[str, Callable[[], Any]]:
    """Return one call of each service, made before with success."""
    names = service[1]
    bucket = S3Objects(parts.client("s3"), names["DataBucketName"])
    speeds = DynamoDBSpeeds(parts.client("dynamodb"), names["TasksTableName"])
    lanes = SQSLanes(parts.client("sqs"), dict.fromkeys(Priority, names["HighQueueUrl"]))
    found: dict[str, Callable[[], Any]] = {
        "s3": lambda: bucket.get("key"),
        "s3 pages": lambda: bucket.list_objects(""),
        "dynamodb": lambda: speeds.read(Priority.HIGH),
        "sqs": lambda: lanes.send(a_task()),
    }
    speeds.write(Priority.HIGH, 2)
    for call in found.values():
        with within(10):
            call()
    return found


@pytest.mark.parametrize("fault", ["hang", "drip", "drip body"])
@pytest.mark.parametrize("service_name", ["s3", "s3 pages", "dynamodb", "sqs"])
def test_no_service_holds_up_a_call_past_the_limit(
    proxy: FaultyProxy, calls: dict[str, Callable[[], Any]], service_name: str, fault: str
) -> None:
    # GIVEN a service in trouble
    proxy.fault = fault
    started = time.monotonic()

    # WHEN it is called within a limit
    with within(LIMIT), pytest.raises(QueueUnavailable if service_name == "sqs" else StorageUnavailable):
        calls[service_name]()

    # THEN
    assert time.monotonic() - started < LIMIT + 1


def test_within_a_limit_answers_are_what_they_are_without_one(calls: dict[str, Callable[[], Any]]) -> None:
    for name in ("s3", "s3 pages", "dynamodb"):
        with within(5):
            limited = calls[name]()

        assert limited == calls[name]()
        assert limited


def test_without_a_limit_a_call_runs_in_its_own_thread(proxy: FaultyProxy) -> None:
    # GIVEN a client whose calls say where they run
    client, threads = parts.client("s3"), list[threading.Thread]()
    client.meta.events.register("before-send", lambda **_: threads.append(threading.current_thread()))

    # WHEN
    client.list_buckets()
    with within(5):
        client.list_buckets()

    # THEN
    assert threads[0] is threading.current_thread()
    assert threads[1] is not threading.current_thread()


def test_without_room_for_a_thread_a_call_is_refused_and_takes_no_place(
    calls: dict[str, Callable[[], Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    # WHEN
    for _ in range(MOST_CALLS + 1):
        with within(5), pytest.raises(StorageUnavailable, match="TooManyCalls"):
            calls["s3"]()

    # THEN
    monkeypatch.undo()
    with within(5):
        assert calls["s3"]()


def test_when_the_time_is_over_nothing_is_sent(proxy: FaultyProxy, calls: dict[str, Callable[[], Any]]) -> None:
    sent = proxy.requests

    for call in calls.values():
        with within(0), pytest.raises(Transient):
            call()

    assert proxy.requests == sent


def test_an_abandoned_call_starts_no_further_attempt(proxy: FaultyProxy) -> None:
    # GIVEN a client that would try ten times, each for a moment
    client = parts.client("s3", read_timeout=0.1, retries={"mode": "standard", "total_max_attempts": 10})
    proxy.fault, sent, before = "hang", proxy.requests, set(threading.enumerate())

    # WHEN its call is abandoned
    with within(0.05), pytest.raises(StorageUnavailable):
        S3Objects(client, "bucket").get("key")

    # THEN it ends with the attempt that was under way
    for thread in set(threading.enumerate()) - before:
        if thread.name == "timed call":
            thread.join(5)
            assert not thread.is_alive()
    assert proxy.requests == sent + 1


@pytest.mark.parametrize("fault", ["hang", "drip", "drip body"])
@pytest.mark.parametrize("service_name", ["s3", "s3 pages", "dynamodb", "sqs"])
def test_abandoned_calls_end_and_hold_up_nothing_after_the_trouble(
    proxy: FaultyProxy, calls: dict[str, Callable[[], Any]], service_name: str, fault: str
) -> None:
    # GIVEN abandoned calls
    proxy.fault = fault
    for _ in range(3):
        with within(0.1), pytest.raises(Transient):
            calls[service_name]()

    # WHEN all is well again
    proxy.fault = ""

    # THEN they have ended, though the service still hangs or drips on
    give_up = time.monotonic() + 3
    while "timed call" in {thread.name for thread in threading.enumerate()} and time.monotonic() < give_up:
        time.sleep(0.02)
    assert "timed call" not in {thread.name for thread in threading.enumerate()}
    with within(5):
        calls[service_name]()


def test_an_answer_that_is_no_json_is_no_answer(
    proxy: FaultyProxy, calls: dict[str, Callable[[], Any]], service: tuple[FaultyProxy, dict[str, str]]
) -> None:
    # GIVEN
    tasks = DynamoDBTasks(parts.client("dynamodb"), service[1]["TasksTableName"], shards=1)

    # WHEN
    proxy.fault = "garbage"

    # THEN nothing is taken for an empty answer
    with pytest.raises(StorageUnavailable):
        tasks.count_open("north", NOW, 10)
    with pytest.raises(StorageUnavailable):
        calls["dynamodb"]()
    with pytest.raises(QueueUnavailable):
        calls["sqs"]()
    with pytest.raises(StorageUnavailable):
        calls["s3 pages"]()
