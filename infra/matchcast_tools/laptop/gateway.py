"""The engine's ASGI app behind a gateway that gives the deployed API a host of its own, and a queue.

**A host of its own.** The engine answers some paths, such as `/health`, before it reads the Host header, and drops
the trailing slash of `/predict/`. So the gateway puts the stage's name before the path of a request to the API's
host, which makes it unambiguous; the engine removes the name again.

**A queue.** The engine starts one worker process for each concurrent invocation. A hundred requests at once would
start a hundred interpreters on a laptop's few cores, and all would be late; a few at a time are answered by warm
workers in a fraction of the time. Only requests of clients wait here, never the calls of a function to the engine,
so nothing can deadlock.

**Errors as AWS answers them.** Where a function fails or is missing, the engine answers 502 with the error and paths
of this machine. An HTTP API answers 500 with a fixed body, and so does the gateway; the error is in the log.

**A shorter wait for logs.** After an invocation that logs nothing the engine waits 50 ms for a late line. A
function's lines are in the pipe before its answer is, so a tenth of that is enough.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import re
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, cast

from matchcast_tools.laptop.denials import report_denials
from matchcast_tools.laptop.keeping import Keeper
from matchcast_tools.laptop.processes import end_group, listen_to_owner
from matchcast_tools.laptop.state import Folder
from matchcast_tools.laptop.table_streams import mend_table_streams

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LIMIT_VARIABLE = "MATCHCAST_LOCAL_CONCURRENCY"
LEAST_LIMIT = 4
LOG_WAIT_SECONDS = 0.005
SAVE_PATH = "/_matchcast/save"
"""A POST to the engine's own host saves its state."""
logger = logging.getLogger(__name__)
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - only where `--bind` asks for it
READING = frozenset({"GET", "HEAD", "OPTIONS"})
INTERNAL_SERVER_ERROR = b'{"message":"Internal Server Error"}'
API_HOST = re.compile(rb"^[0-9a-f]{8}\.execute-api\.")


class Gateway:
    """Lets at most `limit` API requests through to the engine at a time, in the order of their arrival."""

    def __init__(self, engine: App, limit: int, keeper: Keeper) -> None:
        self._engine = engine
        self._slots = asyncio.Semaphore(limit)
        self._keeper = keeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if is_for_the_api(scope):
            async with self._slots:
                await self._engine(with_stage(scope), receive, with_fixed_errors(send))
            return
        if scope["type"] == "http" and scope["path"] == SAVE_PATH:
            await self._save(send)
            return
        # Clients and functions alike; what is under way is saved too early and again after it.
        writes = scope["type"] == "http" and scope["method"] not in READING
        self._keeper.changed |= writes
        await self._engine(scope, receive, send)
        self._keeper.changed |= writes

    async def _save(self, send: Send) -> None:
        try:
            self._keeper.save()
        except OSError as error:
            await answer(send, 507, str(error).encode())
        else:
            await answer(send, 204, b"")


async def answer(send: Send, status: int, body: bytes) -> None:
    """Send a whole answer."""
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def with_fixed_errors(send: Send) -> Send:
    """Return a `send` that replaces the engine's 502 by what an HTTP API answers where an integration fails."""
    failed = False

    async def replacing(message: MutableMapping[str, Any]) -> None:
        nonlocal failed
        if message["type"] == "http.response.start" and message["status"] == 502:
            failed = True
            length = str(len(INTERNAL_SERVER_ERROR)).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", length)]
            message = {**message, "status": 500, "headers": headers}
        elif failed:
            last = not message.get("more_body", False)
            message = {**message, "body": INTERNAL_SERVER_ERROR if last else b""}
        await send(message)

    return replacing


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


def main(folder: Folder, port: int, *more_addresses: str) -> None:
    """Serve the engine on a port of loopback and of the other addresses, until SIGTERM or the end of its owner."""
    listen_to_owner(lambda: os.kill(os.getpid(), signal.SIGTERM))
    from hypercorn.config import Config

    raise_file_limit()
    report_denials()
    mend_table_streams()
    shorten_log_wait()
    config = Config()
    # Every address includes loopback, which then cannot be taken a second time.
    addresses = [EVERY_ADDRESS] if EVERY_ADDRESS in more_addresses else ["127.0.0.1", *more_addresses]
    config.bind = [f"{address}:{port}" for address in dict.fromkeys(addresses)]
    config.keep_alive_timeout = 75
    asyncio.run(_serve(config, Keeper(folder, port)))


async def _serve(config: Any, keeper: Keeper) -> None:
    from hypercorn.asyncio import serve
    from ministack.app import app as engine

    keeper.restore_with_the_engine()
    # Open requests are not waited for: no client needs the answers of a stack that is being stopped.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end, keeper)
    saving = asyncio.create_task(keeper.save_regularly())
    gateway = Gateway(engine, limit_for(os.environ.get(LIMIT_VARIABLE), os.cpu_count() or 1), keeper)
    await serve(cast("Any", gateway), config, shutdown_trigger=asyncio.Event().wait)
    saving.cancel()


def end(keeper: Keeper) -> None:
    """Save the state, and end this process with all workers that it started: they are in its group."""
    try:
        keeper.save()
    except OSError as error:
        logger.error("The state cannot be saved: %s", error)  # noqa: TRY400 - nothing else can be done about it
    finally:
        end_group()


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
    main(Folder(Path(sys.argv[1])), int(sys.argv[2]), *sys.argv[3:])
