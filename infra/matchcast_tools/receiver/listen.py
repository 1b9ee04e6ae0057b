"""A small receiver on loopback, for development: it verifies what comes, answers, and hands it on."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.receiver.verify import why_refused

HOST = "127.0.0.1"
MOST_BYTES = 1_000_000
REFUSED = 401
_LONGEST_REQUEST_SECONDS = 30


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """A request, and what was made of it. `refused` is why it is not genuine; `again` says that its id is known."""

    received_at: datetime
    event_id: str | None
    sent_at: int | None
    refused: str | None
    again: bool
    answered: int
    content: Any

    @property
    def type(self) -> str | None:
        """The type that the body names."""
        kind = self.content.get("type") if isinstance(self.content, dict) else None
        return kind if isinstance(kind, str) else None


class Listener:
    """Takes requests until it is closed.

    Parameters
    ----------
    port
        0 takes any free one.
    secrets
        Any of which may have signed.
    answer
        The status for genuine events; others are answered with 401.
    """

    def __init__(self, port: int, secrets: Sequence[bytes], answer: int = 204) -> None:
        self._secrets = secrets
        self._answer = answer
        self._known: set[str] = set()
        self._lock = threading.Lock()
        self._events: queue.Queue[ReceivedEvent] = queue.Queue()
        try:
            self._server = _Server((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise EnvironmentProblem(f"Port {port} of {HOST} cannot be used ({error}). Give another --port.") from error
        self._server.listener = self
        self.url = f"http://{HOST}:{self._server.server_address[1]}/"

    def events(self, seconds: float | None = None) -> Iterator[ReceivedEvent]:
        """Yield what comes, as it comes; with `seconds` end when nothing has come for so long."""
        last = time.monotonic()
        while seconds is None or time.monotonic() - last < seconds:
            try:
                # A short wait: Ctrl-C is noticed between two of them on every platform.
                event = self._events.get(timeout=0.2)
            except queue.Empty:
                continue
            yield event
            last = time.monotonic()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Note a request, and return the status of its answer."""
        now = time.time()
        refused = why_refused(self._secrets, headers, body, now)
        event_id, sent_at = headers.get("webhook-id"), headers.get("webhook-timestamp", "")
        with self._lock:
            again = refused is None and event_id in self._known
            if refused is None and event_id is not None:
                self._known.add(event_id)
        answered = self._answer if refused is None else REFUSED
        event = ReceivedEvent(
            received_at=datetime.fromtimestamp(now, UTC),
            event_id=event_id,
            sent_at=int(sent_at) if sent_at.isascii() and sent_at.isdigit() else None,
            refused=refused,
            again=again,
            answered=answered,
            content=_parsed(body),
        )
        self._events.put(event)
        return answered

    def run(self) -> None:
        """Serve until `close`."""
        self._server.serve_forever(0.1)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def listening(port: int, secrets: Sequence[bytes], answer: int = 204) -> Iterator[Listener]:
    """Listen while the block runs."""
    listener = Listener(port, secrets, answer)
    thread = threading.Thread(target=listener.run, daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        listener.close()
        thread.join()


def _parsed(body: bytes) -> Any:
    """Return JSON as what it is, and any other body as text."""
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    listener: Listener

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: senders break connections off."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _LONGEST_REQUEST_SECONDS
    server: _Server

    def do_POST(self) -> None:
        """Take an event."""
        self.close_connection = True
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self._say(411)
        elif int(length) > MOST_BYTES:
            self._say(413)
        else:
            body = self.rfile.read(int(length))
            self._say(self.server.listener.take({name.lower(): value for name, value in self.headers.items()}, body))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the standard library
        """Say nothing: the command prints what came."""

    def _say(self, status: int) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()
