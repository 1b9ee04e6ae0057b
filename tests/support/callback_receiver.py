"""A receiver of callbacks on loopback, which answers as it is told and keeps what it got."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Delivered:
    """One request, as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class CallbackReceiver:
    """Answers 204, or what is in `answers` of a path, the first one first."""

    def __init__(self) -> None:
        self.answers: dict[str, list[int]] = {}
        self._got: list[Delivered] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return self._server.server_port

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, path: str, *answers: int) -> str:
        """Return the address of a path, which answers so before it answers 204."""
        self.answers[path] = list(answers)
        return f"http://127.0.0.1:{self.port}{path}"

    def got(self, path: str) -> list[Delivered]:
        """Return what came to a path so far."""
        return [each for each in self._got if each.path == path]

    def wait_for(self, path: str, count: int = 1) -> Sequence[Delivered]:
        """Return what came to a path once there are so many requests."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.got(path)) < count:
            assert time.monotonic() < deadline, f"{path} got {len(self.got(path))} of {count} requests."
            time.sleep(0.05)
        return self.got(path)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answers = receiver.answers.get(self.path, [])
                self.send_response(answers.pop(0) if answers else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()
                receiver._got.append(Delivered(self.path, dict(self.headers.items()), body))

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
