"""The engine's ASGI app behind a front that gives the deployed API a host of its own, and a queue.

**A host of its own.** The engine answers some paths, `/health` among them, before it looks at the
Host header, and drops the last slash of `/predict/`. So a request to the API's host reaches the
engine with the stage's name before its path, which leaves no doubt; the engine takes it off again.

**A queue.** The engine starts one worker process for each invocation that runs at the same time. A
hundred requests at once would start a hundred interpreters on a laptop's few cores and answer all
of them late; the same requests, a few at a time, are answered by warm workers in a fraction of the
time. Only requests of clients wait here, never what a function asks of the engine: nothing can
deadlock.

**No wait for logs.** After an invocation that logs nothing the engine waits 50 ms for a line that may
still come. A function's lines are in the pipe before its answer is, so a tenth of that is plenty.
"""

from __future__ import annotations

import asyncio
import functools
import os
import re
import resource
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LIMIT_VARIABLE = "MATCHCAST_LOCAL_CONCURRENCY"
LEAST_LIMIT = 4
LOG_WAIT_SECONDS = 0.005
API_HOST = re.compile(rb"^[0-9a-f]{8}\.execute-api\.")


class Gateway:
    """Lets at most `limit` API requests through to the engine at a time, in the order of their arrival."""

    def __init__(self, engine: App, limit: int) -> None:
        self._engine = engine
        self._slots = asyncio.Semaphore(limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if not is_for_the_api(scope):
            await self._engine(scope, receive, send)
            return
        async with self._slots:
            await self._engine(with_stage(scope), receive, send)


def limit_for(wanted: str | None, cores: int) -> int:
    """Return how many API requests run at once: as wanted, or two for each core, for each waits now and then."""
    return int(wanted) if wanted else max(LEAST_LIMIT, 2 * cores)


def is_for_the_api(scope: Scope) -> bool:
    """Tell a request to a deployed API from one to an AWS service, by its Host header."""
    if scope["type"] != "http":
        return False
    return any(name == b"host" and API_HOST.match(value) for name, value in scope["headers"])


def with_stage(scope: Scope) -> Scope:
    """Return the request with the default stage named in its path."""
    return {**scope, "path": f"/$default{scope['path']}", "raw_path": b"/$default" + scope["raw_path"]}


def main(port: int, *more_addresses: str) -> None:
    """Serve the engine on a port of loopback, and of whatever other addresses were asked for, until SIGTERM."""
    from hypercorn.config import Config

    raise_file_limit()
    shorten_log_wait()
    config = Config()
    config.bind = [f"{address}:{port}" for address in dict.fromkeys(["127.0.0.1", *more_addresses])]
    config.keep_alive_timeout = 75
    asyncio.run(_serve(config))


async def _serve(config: Any) -> None:
    from hypercorn.asyncio import serve
    from ministack.app import app as engine

    gateway = Gateway(engine, limit_for(os.environ.get(LIMIT_VARIABLE), os.cpu_count() or 1))
    # Without a trigger of its own the server would take SIGTERM as a wish to finish requests first. The
    # engine keeps nothing, and whoever waits for an answer of a stack that is stopped waits in vain.
    await serve(cast("Any", gateway), config, shutdown_trigger=asyncio.Event().wait)


def shorten_log_wait() -> None:
    """Make the engine wait less for the log lines of an invocation that has answered."""
    from ministack.core.lambda_runtime import Worker

    patient = Worker._drain_stderr_bounded  # noqa: SLF001 - the engine has no setting for it
    Worker._drain_stderr_bounded = functools.partialmethod(patient, first_line_wait=LOG_WAIT_SECONDS)  # noqa: SLF001


def raise_file_limit() -> None:
    """Allow as many open files as the system does: every connection and worker needs some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
