"""Invocations that nobody waits for any more, against a real endpoint on loopback: they hold up no later one."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from matchcast.adapters import timed_calls
from matchcast.adapters.lambda_inference import LambdaInference
from matchcast.bootstrap import parts
from matchcast.domain.prediction import Prediction, Subject
from matchcast.errors import DeadlineExceeded, InferenceUnavailable
from tests.support.tasks import a_prediction

pytestmark = pytest.mark.enable_socket

SUBJECT = Subject(match_id="e0-2026-03-07-alder-birch")


@dataclass
class Endpoint:
    """Lambda's Invoke: the stage `slow` is answered when the gate opens, every other one at once."""

    gate: threading.Event = field(default_factory=threading.Event)
    invoked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.others = set(threading.enumerate())
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.invoked.append(request["stage"])
                if request["stage"] == "slow":
                    endpoint.gate.wait(30)
                body = json.dumps({"prediction": a_prediction().model_dump(mode="json")}).encode()
                try:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def inference(self, **options: Any) -> LambdaInference:
        once: Any = {"retries": {"total_max_attempts": 1}, **options}
        client = parts.client("lambda", **once)
        return LambdaInference(client, "inference", lambda: datetime.now(UTC))


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    one = Endpoint()
    url = f"http://127.0.0.1:{one.server.server_port}"
    environment = {"ACCESS_KEY_ID": "t", "SECRET_ACCESS_KEY": "t", "DEFAULT_REGION": "us-east-1", "ENDPOINT_URL": url}
    for name, value in environment.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    yield one
    one.gate.set()
    one.server.shutdown()
    one.server.server_close()


def ask(inference: LambdaInference, stage: str, seconds: float) -> Prediction:
    return inference.predict(stage, SUBJECT, datetime.now(UTC) + timedelta(seconds=seconds))


def invocations(endpoint: Endpoint) -> int:
    started = set(threading.enumerate()) - endpoint.others
    return sum(thread.name == "timed call" for thread in started)


def until(what: int, endpoint: Endpoint) -> int:
    give_up = time.monotonic() + 10
    while invocations(endpoint) != what and time.monotonic() < give_up:
        time.sleep(0.01)
    return invocations(endpoint)


def test_a_fast_request_after_many_abandoned_ones_is_answered_at_once(endpoint: Endpoint) -> None:
    # GIVEN thirty requests to a slow stage whose clients have left
    inference = endpoint.inference(read_timeout=30)
    for _ in range(30):
        with pytest.raises(DeadlineExceeded):
            ask(inference, "slow", 0.02)

    # WHEN another stage is asked
    started = time.monotonic()
    answer = ask(inference, "fast", 5)

    # THEN
    assert answer == a_prediction()
    assert time.monotonic() - started < 2
    assert endpoint.invoked.count("fast") == 1


def test_an_abandoned_invocation_ends_and_its_answer_reaches_nobody(endpoint: Endpoint) -> None:
    # GIVEN abandoned invocations
    inference = endpoint.inference(read_timeout=30)
    for _ in range(5):
        with pytest.raises(DeadlineExceeded):
            ask(inference, "slow", 0.1)

    # WHEN nothing is answered yet, and when it is
    ended = until(0, endpoint)
    endpoint.gate.set()

    # THEN
    assert ended == 0
    assert ask(inference, "fast", 5) == a_prediction()
    assert endpoint.invoked == ["slow"] * 5 + ["fast"]


def test_what_is_abandoned_before_it_is_sent_is_never_sent(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an invocation that waits for a name server, and that nobody waits for any more
    resolve, found = socket.getaddrinfo, threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *name: found.wait(30) and resolve(*name))
    inference = endpoint.inference(read_timeout=30)
    with pytest.raises(DeadlineExceeded):
        ask(inference, "fast", 0.1)

    # WHEN the name server answers
    found.set()

    # THEN the invocation ends, and reaches nobody
    assert until(0, endpoint) == 0
    assert endpoint.invoked == []


def test_there_are_never_more_invocations_than_connections(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN as many abandoned invocations as there may be, which wait for a name server
    monkeypatch.setattr(timed_calls, "MOST_CALLS", 3)
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda *name: endpoint.gate.wait(30) and resolve(*name))
    inference = endpoint.inference(read_timeout=30)
    for _ in range(3):
        with pytest.raises(DeadlineExceeded):
            ask(inference, "slow", 0.2)

    # WHEN another is asked for
    with pytest.raises(InferenceUnavailable):
        ask(inference, "fast", 5)

    # THEN it is taken as soon as one of them has ended
    endpoint.gate.set()
    assert until(0, endpoint) == 0
    assert ask(inference, "fast", 5) == a_prediction()
