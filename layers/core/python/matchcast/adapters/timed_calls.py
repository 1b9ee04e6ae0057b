"""Calls of the AWS SDK that end with the time of the request that makes them.

The SDK's own timeouts are for each attempt and each packet: attempts and the waits between them add up, a name server
that hangs has no limit, and an answer that comes byte by byte is never late. So where there is a limit the whole call,
with its attempts and the body of its answer, runs in a thread of its own, and is waited for as long as there is time.

A call that nobody waits for any more holds up no later one, and ends: its connection is cut, and it starts no further
attempt. While it still looks for the service (a name server, a TLS handshake), it goes on until that is over.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError
from botocore.response import StreamingBody

from matchcast.adapters.abandoned_calls import Call, running
from matchcast.deadline import remaining

MOST_CALLS = 64
"""At most so many calls of a client at once, and as many connections."""


class OutOfTime(BotoCoreError):
    """There was no answer within the time of the request; no retry mode of the SDK tries again after it."""

    fmt = "There was no answer within the time that the request has."


class TooManyCalls(BotoCoreError):
    """Too many calls that nobody waits for have not ended yet, or there is no room for another thread."""

    fmt = "Calls that nobody waits for have not ended yet, as many as there may be."


def timed(client: Any) -> Any:
    """Have each operation of an SDK client end within the limit of the request; paginators use them too."""
    free = threading.BoundedSemaphore(MOST_CALLS)
    for name in client.meta.method_to_api_mapping:
        setattr(client, name, partial(_call, getattr(client, name), free))
    client.meta.events.register("before-send", _send_in_time)
    return client


def _call(operation: Callable[..., Any], free: threading.BoundedSemaphore, /, *args: Any, **parameters: Any) -> Any:
    seconds = remaining()
    if seconds is None:
        return operation(*args, **parameters)
    if seconds <= 0:
        raise OutOfTime
    if not free.acquire(blocking=False):
        raise TooManyCalls
    answer: Future[Any] = Future()
    call = Call()

    def run() -> None:
        running.set(call)
        try:
            try:
                found = _read(operation(*args, **parameters))
            finally:
                call.uses(None)
                # Free before the answer is there: the next call may come at once.
                free.release()
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is waited for
            answer.set_exception(error)
        except BaseException as error:
            answer.set_exception(error)
            raise
        else:
            answer.set_result(found)

    try:
        threading.Thread(target=copy_context().run, args=(run,), name="timed call", daemon=True).start()
    except RuntimeError as error:  # no more threads, or memory for one
        free.release()
        raise TooManyCalls from error
    try:
        return answer.result(timeout=seconds)
    except TimeoutError as error:
        call.abandon()
        raise OutOfTime from error


def _read(answer: Any) -> Any:
    """Return an answer with its body in memory, where it cannot be late."""
    return {
        name: io.BytesIO(value.read()) if isinstance(value, StreamingBody) else value for name, value in answer.items()
    }


def _send_in_time(**_: Any) -> None:
    """Let no attempt begin when the time is over (a handler of the SDK's event `before-send`)."""
    seconds = remaining()
    if seconds is not None and seconds <= 0:
        raise OutOfTime
