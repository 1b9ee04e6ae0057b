"""Receivers at real sockets that answer callbacks as a test tells them, and a watch over where connections go."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Receiver:
    """A server on a loopback address; `requests` are what it was sent, as bytes."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    """The server names that clients asked for by TLS."""
    over: threading.Event = field(default_factory=threading.Event)
    """Set when the test is over, so that nobody hangs any longer."""


@contextmanager
def receiver(
    serve: Callable[[Receiver, socket.socket], None],
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> Iterator[Receiver]:
    """Serve each connection in a thread of its own, over TLS where there is a context."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        made = Receiver(listener.getsockname()[1])
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: made.names.append(name)

        def attend(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                secured = connection if tls is None else tls.wrap_socket(connection, server_side=True)
                with secured:
                    serve(made, secured)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threads.append(threading.Thread(target=attend, args=(connection,), daemon=True))
                    threads[-1].start()

        threads: list[threading.Thread] = []
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield made
        finally:
            made.over.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for thread in (accepting, *threads):
                thread.join(10)
                assert not thread.is_alive(), "a receiver still serves a connection that should have ended"


def read_request(receiver: Receiver, connection: socket.socket) -> bytes:
    """Read a whole request; return its body."""
    content = b""
    while b"\r\n\r\n" not in content:
        some = connection.recv(65_536)
        if not some:
            raise ConnectionError("The request broke off.")
        content += some
    head, _, body = content.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    while len(body) < length:
        some = connection.recv(65_536)
        if not some:
            raise ConnectionError("The request broke off.")
        body += some
    receiver.requests.append(head + b"\r\n\r\n" + body)
    return body


def answering(answer: bytes) -> Callable[[Receiver, socket.socket], None]:
    """Return what reads a request and gives an answer."""

    def serve(receiver: Receiver, connection: socket.socket) -> None:
        read_request(receiver, connection)
        connection.sendall(answer)

    return serve


def dripping(start: bytes, piece: bytes, seconds: float = 0.02) -> Callable[[Receiver, socket.socket], None]:
    """Return what reads a request, gives the start of an answer, then pieces without end."""

    def serve(receiver: Receiver, connection: socket.socket) -> None:
        read_request(receiver, connection)
        connection.sendall(start)
        while not receiver.over.wait(seconds):
            connection.sendall(piece)

    return serve


class ConnectionWatch:
    """Every connection that this process asks the kernel for; those that leave loopback are refused before that."""

    def __init__(self) -> None:
        self.targets: list[tuple[str, int]] = []
        self._is_on = False
        sys.addaudithook(self._heard)

    @contextmanager
    def on(self) -> Iterator[list[tuple[str, int]]]:
        """Watch; yield the targets so far."""
        self.targets.clear()
        self._is_on = True
        try:
            yield self.targets
        finally:
            self._is_on = False

    def _heard(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._is_on or event not in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            return
        address = args[1]
        if isinstance(address, tuple):
            self.targets.append((address[0], address[1]))
            if not address[0].startswith("127.") and address[0] != "::1":
                raise ConnectionRefusedError("The test lets nothing out.")


WATCH = ConnectionWatch()
"""One for the process: an audit hook cannot be taken away."""
