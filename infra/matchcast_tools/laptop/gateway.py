"""The engine's ASGI app behind a gateway that gives the deployed API a host of its own, and a queue.

**A host of its own.** The engine answers some paths, such as `/health`, before it reads the Host header, and drops
the trailing slash of `/predict/`. So the gateway puts the stage's name before the path of a request to the API's
host, which makes it unambiguous; the engine removes the name again.

**A queue.** The engine starts one worker process for each concurrent invocation. A hundred requests at once would
start a hundred interpreters on a laptop's few cores, and all would be late; a few at a time are answered by warm
workers in a fraction of the time. Only requests of clients wait here, never the calls of a function to the engine,
so nothing can deadlock.

**A shorter wait for logs.** After an invocation that logs nothing the engine waits 50 ms for a late line. A
function's lines are in the pipe before its answer is, so a tenth of that is enough.
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

from matchcast_tools.laptop.denials import report_denials

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
    """Return how many API requests run at once: as configured, or two for each core, since requests also wait."""
    return int(wanted) if wanted else max(LEAST_LIMIT, 2 * cores)


def is_for_the_api(scope: Scope) -> bool:
    """Return whether a request is for a deployed API rather than an AWS service, by its Host header."""
    if scope["type"] != "http":
        return False
    return any(name == b"host" and API_HOST.match(value) for name, value in scope["headers"])


def with_stage(scope: Scope) -> Scope:
    """Return the request with the default stage named in its path."""
    return {**scope, "path": f"/$default{scope['path']}", "raw_path": b"/$default" + scope["raw_path"]}


def main(port: int, *more_addresses: str) -> None:
    """Serve the engine on a port of loopback and of the other addresses, until SIGTERM."""
    from hypercorn.config import Config

    raise_file_limit()
    report_denials()
    shorten_log_wait()
    config = Config()
    config.bind = [f"{address}:{port}" for address in dict.fromkeys(["127.0.0.1", *more_addresses])]
    config.keep_alive_timeout = 75
    asyncio.run(_serve(config))


async def _serve(config: Any) -> None:
    from hypercorn.asyncio import serve
    from ministack.app import app as engine

    gateway = Gateway(engine, limit_for(os.environ.get(LIMIT_VARIABLE), os.cpu_count() or 1))
    # Without a trigger of its own the server would finish open requests after SIGTERM. The engine keeps
    # no state, and no client needs the answers of a stack that is being stopped.
    await serve(cast("Any", gateway), config, shutdown_trigger=asyncio.Event().wait)


def shorten_log_wait() -> None:
    """Make the engine wait less for log lines after an invocation has answered."""
    from ministack.core.lambda_runtime import Worker

    patient = Worker._drain_stderr_bounded  # noqa: SLF001 - the engine has no setting for it
    Worker._drain_stderr_bounded = functools.partialmethod(patient, first_line_wait=LOG_WAIT_SECONDS)  # noqa: SLF001


def raise_file_limit() -> None:
    """Raise the limit of open files to the system's maximum: every connection and worker needs some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
