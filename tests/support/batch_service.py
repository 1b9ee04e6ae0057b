"""A small HTTP server that answers like the routes of batches and the storage behind them, for tests of the tools."""

from __future__ import annotations

import email.parser
import email.policy
import io
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pyarrow.parquet as pq

from matchcast.batches.part_files import ERRORS, OUTPUT

BATCH_ID = "019cb2d1-7c00-7000-8000-000000000000"
KEY = "input/tenant/4f1c8b7a-9d2e-4c11-8000-000000000000.csv"
MAX_BYTES = 10_000_000
ROWS = b"custom_id,elo_difference\na,1\nb,many\nc,3\n"


def predictions(count: int) -> bytes:
    """Return a file of predictions."""
    rows = [{"row": at, "home": 0.5, "draw": 0.3, "away": 0.2} for at in range(count)]
    return _parquet(rows, OUTPUT)


def errors(numbers: Sequence[int]) -> bytes:
    """Return a file of errors."""
    return _parquet([{"row": at, "code": "invalid-row", "pointer": "", "detail": "wrong"} for at in numbers], ERRORS)


def _parquet(rows: list[dict[str, Any]], schema: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(schema.empty_table().from_pylist(rows, schema=schema), sink)
    return sink.getvalue()


def envelope(status: str = "running", total: int | None = 3, **changed: Any) -> dict[str, Any]:
    """Return a batch of three rows, one of which is wrong."""
    over = status in {"succeeded", "cancelled"}
    model = {"name": "matchcast", "version": "1", "stage": "champion", "run_id": "r"}
    return {
        "batch_id": BATCH_ID,
        "status": status,
        "stage": "champion",
        "output_format": "parquet",
        "counts": {
            "total": total,
            "queued": None if total is None else 0 if over else 2,
            "succeeded": 2 if over else 0,
            "failed": 1 if over else 0,
            "cancelled": 0,
        },
        "progress": {"parts": 1, "parts_done": int(over), "rows_per_second": 20.0, "estimated_end": None},
        "provenance": {"model": model, "snapshot_id": "s", "input": {"key": KEY, "size": 10}},
        "error": None,
        "generation": 0,
        "created_at": "2026-03-07T12:00:00Z",
        "started_at": None,
        "completed_at": None,
        "expires_at": "2026-03-08T12:00:00Z",
        "links": {"status": f"/predict/batch/{BATCH_ID}", "output": None, "errors": None},
        "parts": None,
    } | changed


@dataclass
class BatchService:
    """What the server answers, and what it was asked.

    `answers` come first, each once: for a method and a path a status, headers and a body.
    """

    statuses: list[dict[str, Any]] = field(default_factory=lambda: [envelope(), envelope("succeeded")])
    files: dict[str, bytes] = field(default_factory=lambda: {"output": predictions(2), "errors": errors([1])})
    answers: list[tuple[str, str, int, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def requests(self, method: str, path: str) -> list[tuple[dict[str, str], bytes]]:
        """Return headers and bodies of the requests that were sent."""
        return [
            (headers, body)
            for way, where, headers, body in self.asked
            if (way, where.partition("?")[0]) == (method, path)
        ]

    def form(self) -> list[tuple[str, bytes]]:
        """Return names and contents of the form that was uploaded last, in their order."""
        headers, body = self.requests("POST", "/storage")[-1]
        text = f"Content-Type: {headers['content-type']}\r\n\r\n".encode() + body
        parsed = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(text)
        found = []
        for part in parsed.iter_parts():
            name = str(part.get_param("name", header="content-disposition"))
            found.append((name, bytes(part.get_payload(decode=True) or b"")))
        return found

    def answer(self, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body."""
        route = path.partition("?")[0]
        for number, (way, where, status, headers, body) in enumerate(self.answers):
            if (way, where) == (method, route):
                del self.answers[number]
                return status, headers, body
        if route.startswith("/files/"):
            return 200, {}, self.files[route.removeprefix("/files/")]
        if route == "/storage":
            return 204, {}, b""
        status, content = self._api(method, route, path)
        return status, {}, json.dumps(content).encode()

    def _api(self, method: str, route: str, path: str) -> tuple[int, Any]:
        if route == "/predict/batch/uploads":
            fields = {"key": KEY, "policy": "cG9saWN5", "x-amz-signature": "00ff"}
            return 201, {"input": KEY, "url": f"{self.url}/storage", "fields": fields, "max_bytes": MAX_BYTES}
        if (method, route) == ("GET", "/predict/batch/"):
            return 200, {"items": [self.statuses[-1]], "next_cursor": None}
        if method == "GET":
            return 200, self._next_status(path)
        return (200, envelope("cancelling")) if method == "DELETE" else (202, envelope("queued", None))

    def _next_status(self, path: str) -> dict[str, Any]:
        batch = self.statuses[0] if len(self.statuses) == 1 else self.statuses.pop(0)
        if "links=true" in path and batch["status"] in {"succeeded", "cancelled"}:
            links = {kind: f"{self.url}/files/{kind}" for kind in self.files}
            return batch | {"links": batch["links"] | links}
        return batch


@contextmanager
def serving(service: BatchService) -> Iterator[BatchService]:
    """Answer requests on loopback while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            service.asked.append((self.command, self.path, headers, body))
            status, extra, content = service.answer(self.command, self.path)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | extra).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = "Content-Length" in extra

        do_GET = do_POST = do_DELETE = do  # noqa: N815 - names of the standard library

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's word
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing: clients hang up in the middle of a request."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
