"""The front of the local engine: a separate host for the API, and a queue."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from matchcast_tools.laptop.gateway import Gateway, limit_for

API = b"f007ba11.execute-api.localhost:4566"


def scope(host: bytes, path: str = "/health", kind: str = "http") -> dict[str, Any]:
    return {"type": kind, "path": path, "raw_path": path.encode(), "headers": [(b"accept", b"*"), (b"host", host)]}


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


async def nothing(*_: Any) -> Any:
    raise AssertionError


def ask(engine: Engine, *scopes: dict[str, Any], limit: int = 2) -> None:
    async def all_of_them() -> None:
        gateway = Gateway(engine, limit)
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
