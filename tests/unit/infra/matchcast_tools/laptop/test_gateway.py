"""The front of the local engine: a separate host for the API, and a queue."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from matchcast_tools.laptop.gateway import INTERNAL_SERVER_ERROR, SAVE_PATH, Gateway, limit_for

API = b"f007ba11.execute-api.localhost:4566"


def scope(host: bytes, path: str = "/health", kind: str = "http", method: str = "GET") -> dict[str, Any]:
    return {
        "type": kind,
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "headers": [(b"accept", b"*"), (b"host", host)],
    }


class Engine:
    """Remembers what it was asked, and how much of it at once."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.running = self.most = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        self.asked.append((scope["path"], scope["raw_path"]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.running -= 1


class Keeper:
    """Saves nothing; `fails` with an error if it is told to."""

    def __init__(self, fails: OSError | None = None) -> None:
        self.changed = False
        self.saved = 0
        self.fails = fails

    def save(self) -> None:
        if self.fails:
            raise self.fails
        self.saved += 1


def answer_of(
    engine: Any, asked: dict[str, Any], keeper: Keeper | None = None
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Return status, headers and body of what a client gets."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(Gateway(engine, 1, keeper or Keeper())(asked, nothing, send))  # type: ignore[arg-type]
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(message["body"] for message in sent[1:])


async def nothing(*_: Any) -> Any:
    raise AssertionError


def ask(engine: Engine, *scopes: dict[str, Any], limit: int = 2) -> None:
    async def all_of_them() -> None:
        gateway = Gateway(engine, limit, Keeper())  # type: ignore[arg-type]
        await asyncio.gather(*(gateway(each, nothing, nothing) for each in scopes))

    asyncio.run(all_of_them())


@pytest.mark.parametrize("path", ["/health", "/predict/", "/predict/caf%C3%A9"])
def test_a_request_to_the_api_names_its_stage(path: str) -> None:
    engine = Engine()

    ask(engine, scope(API, path))

    assert engine.asked == [(f"/$default{path}", f"/$default{path}".encode())]


@pytest.mark.parametrize(
    "host", [b"127.0.0.1:4566", b"bucket.s3.localhost", b"matchcast.auth.us-east-1.amazoncognito.com"]
)
def test_a_request_to_a_service_is_not_changed(host: bytes) -> None:
    engine = Engine()

    ask(engine, scope(host))

    assert engine.asked == [("/health", b"/health")]


def test_no_more_requests_to_the_api_run_at_once_than_the_limit() -> None:
    engine = Engine()

    ask(engine, *(scope(API) for _ in range(20)), limit=3)

    assert engine.most == 3
    assert len(engine.asked) == 20


def test_what_functions_ask_of_services_never_waits() -> None:
    engine = Engine()

    ask(engine, *(scope(b"127.0.0.1:4566") for _ in range(20)), limit=1)

    assert engine.most == 20


def test_the_servers_own_messages_pass() -> None:
    engine = Engine()

    ask(engine, {"type": "lifespan", "path": "", "raw_path": b""})

    assert engine.asked == [("", b"")]


def test_the_engine_still_has_the_wait_that_is_shortened() -> None:
    from ministack.core.lambda_runtime import Worker

    assert "first_line_wait" in inspect.signature(Worker._drain_stderr_bounded).parameters


@pytest.mark.parametrize(("wanted", "cores", "limit"), [(None, 1, 4), ("", 2, 4), (None, 8, 16), ("1", 8, 1)])
def test_the_limit_grows_with_the_cores_unless_it_is_named(wanted: str | None, cores: int, limit: int) -> None:
    assert limit_for(wanted, cores) == limit


def answering(status: int, *parts: bytes) -> Any:
    async def engine(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % sum(map(len, parts)))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for number, part in enumerate(parts, start=1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

    return engine


def test_a_function_that_fails_is_answered_as_an_http_api_answers() -> None:
    # GIVEN the engine's answer for a worker that died, in two parts
    engine = answering(502, b'{"errorMessage": "Worker exited", ', b'"stackTrace": ["/tmp/engine/code/handler.py"]}')

    # WHEN
    status, headers, body = answer_of(engine, scope(API))

    # THEN nothing of it is shown
    assert (status, body) == (500, INTERNAL_SERVER_ERROR)
    assert headers == {b"content-type": b"application/json", b"content-length": b"35"}


@pytest.mark.parametrize("status", [200, 404, 500, 503])
def test_what_functions_answer_is_passed_on(status: int) -> None:
    found, headers, body = answer_of(answering(status, b"as ", b"it is"), scope(API))

    assert (found, headers[b"content-type"], body) == (status, b"text/plain", b"as it is")


def test_an_error_of_a_service_is_passed_on() -> None:
    assert answer_of(answering(502, b"service"), scope(b"127.0.0.1:4566"))[::2] == (502, b"service")


@pytest.mark.parametrize(("method", "changed"), [("GET", False), ("HEAD", False), ("POST", True), ("PUT", True)])
def test_requests_to_services_that_may_change_something_are_noticed(method: str, changed: bool) -> None:
    keeper = Keeper()

    answer_of(answering(200, b""), scope(b"127.0.0.1:4566", method=method), keeper)

    assert keeper.changed is changed


def test_the_state_is_saved_when_it_is_asked_for() -> None:
    keeper = Keeper()

    status, _, _ = answer_of(answering(200, b"engine"), scope(b"127.0.0.1:4566", SAVE_PATH, method="POST"), keeper)

    assert (status, keeper.saved) == (204, 1)


def test_a_state_that_cannot_be_saved_is_said_to_be_so() -> None:
    full = Keeper(OSError(28, "No space left on device"))

    status, _, body = answer_of(answering(200, b""), scope(b"127.0.0.1:4566", SAVE_PATH, method="POST"), full)

    assert status == 507
    assert b"No space left" in body


def test_clients_of_the_api_cannot_save() -> None:
    keeper = Keeper()

    _, _, body = answer_of(answering(404, b"no such path"), scope(API, SAVE_PATH, method="POST"), keeper)

    assert (body, keeper.saved) == (b"no such path", 0)
