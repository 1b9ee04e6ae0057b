"""The receiver of the suite: it answers as it is told, well or badly, and keeps every request as it came."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from uuid import uuid4

FLOOD_BYTES = 16_000_000
"""More than the buffers of a connection on loopback ever hold."""
_CHUNK = b" " * 65_536


@dataclass(frozen=True, slots=True)
class Reply:
    """How a request is answered.

    `hang` never answers; `drip` sends a byte of a header now and then; `drop` closes the connection; `flood` answers
    with a body of 16 MB. `most_seconds` ends what would go on for ever.
    """

    status: int = 204
    headers: tuple[tuple[str, str], ...] = ()
    way: Literal["answer", "hang", "drip", "drop", "flood"] = "answer"
    most_seconds: float = 0.0


@dataclass(slots=True)
class Request:
    """A request as it came. `stayed_seconds`: how long its sender waited; `sent_bytes`: how much of a flood left."""

    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    arrived: float
    stayed_seconds: float = 0.0
    sent_bytes: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def all(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for each, value in self.headers if each.lower() == name]

    def header(self, name: str) -> str:
        """Return the first value of a header; the empty text without one."""
        return next(iter(self.all(name)), "")


@dataclass
class Site:
    """One address of the receiver: it gives its replies in turn, then 204."""

    url: str
    replies: Sequence[Reply]
    requests: list[Request] = field(default_factory=list)


class Receiver:
    """An HTTP server on loopback with as many sites as are wanted."""

    def __init__(self) -> None:
        self._sites: dict[str, Site] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.receiver = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def origin(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def site(self, *replies: Reply) -> Site:
        """Open a new address."""
        path = f"/{uuid4().hex}"
        self._sites[path] = Site(self.origin + path, replies)
        return self._sites[path]

    def take(self, request: Request) -> Reply:
        """Keep a request, and return how it is answered; an address that is not known is gone."""
        with self._lock:
            site = self._sites.get(request.path)
            if site is None:
                return Reply(410)
            site.requests.append(request)
            number = len(site.requests) - 1
            return site.replies[number] if number < len(site.replies) else Reply()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run a receiver while the block runs."""
    made = Receiver()
    try:
        yield made
    finally:
        made.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    receiver: Receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: senders break connections off, and some are told to."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def __getattr__(self, name: str) -> Any:
        """Take every method."""
        if name.startswith("do_"):
            return self._take
        raise AttributeError(name)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the standard library
        """Say nothing."""

    def _take(self) -> None:
        # None is kept alive: a sender that hangs up on one request must not lose the next.
        self.close_connection = True
        arrived = time.time()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, tuple(self.headers.items()), body, arrived)
        reply = self.server.receiver.take(request)
        began = time.monotonic()
        with suppress(OSError):
            getattr(self, f"_{reply.way}")(reply, request)
        request.stayed_seconds = time.monotonic() - began
        request.over.set()

    def _answer(self, reply: Reply, _: Request) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def _drop(self, _: Reply, __: Request) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)

    def _hang(self, reply: Reply, _: Request) -> None:
        give_up = time.monotonic() + reply.most_seconds
        while (left := give_up - time.monotonic()) > 0:
            if select.select([self.connection], [], [], left)[0] and not self.connection.recv(1024):
                return

    def _drip(self, reply: Reply, _: Request) -> None:
        give_up = time.monotonic() + reply.most_seconds
        self.connection.sendall(b"HTTP/1.1 204 No Content\r\nSlow: ")
        while time.monotonic() < give_up:
            self.connection.sendall(b".")
            if select.select([self.connection], [], [], 0.05)[0] and not self.connection.recv(1024):
                return

    def _flood(self, _: Reply, request: Request) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        self.connection.settimeout(10)
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {FLOOD_BYTES}\r\nConnection: close\r\n\r\n"
        )
        self.connection.sendall(head.encode())
        while request.sent_bytes < FLOOD_BYTES:
            request.sent_bytes += self.connection.send(_CHUNK)
