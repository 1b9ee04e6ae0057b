"""A TCP proxy that behaves as a network or a service in trouble does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

DRIP_SECONDS = 0.05


class FaultyProxy:
    """Passes connections on to a server on loopback, or does to them what `fault` says.

    `hang`: requests are swallowed. `drip`: answers come byte by byte; `drip body`: only their bodies do. `garbage`:
    bodies are of the right length, and nothing else. Empty: all is well.
    """

    def __init__(self, upstream: int) -> None:
        self.fault = ""
        self.requests = 0
        """How many packets of requests came; one request may be several."""
        self.on_request: Callable[[], object] = lambda: None
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def url(self) -> str:
        """Return where the proxy is."""
        return "http://{}:{}".format(*self._listener.getsockname())

    def close(self) -> None:
        """Cut all connections."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _start(self, run: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=run, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
                self._sockets += [client, server]
                self._start(self._pump, client, server, self._pass_request)
                self._start(self._pump, server, client, self._pass_answer)

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket, hand_on: Callable[[bytes, socket.socket], None]) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                hand_on(data, target)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def _pass_request(self, data: bytes, target: socket.socket) -> None:
        self.requests += 1
        self.on_request()
        if self.fault != "hang":
            target.sendall(data)

    def _pass_answer(self, data: bytes, target: socket.socket) -> None:
        # A server may send the body after its head.
        body = data.partition(b"\r\n\r\n")[2] if data.startswith(b"HTTP/") else data
        head = data.removesuffix(body)
        at_once = {"drip": b"", "drip body": head, "garbage": head + b"{" * len(body)}.get(self.fault, data)
        target.sendall(at_once)
        for byte in data[len(at_once) :]:
            time.sleep(DRIP_SECONDS)
            target.sendall(bytes([byte]))
