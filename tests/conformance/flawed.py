"""A sender that keeps every rule but the one that its flaw breaks: it shows that the suite notices."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from uuid import uuid4

from tests.conformance.job import Job, Sender
from tests.conformance.signatures import signature

FLAWS = {
    "put": "one-post-of-json",
    "form": "one-post-of-json",
    "dotted-id": "three-headers",
    "header-twice": "three-headers",
    "untyped": "a-type-and-a-time",
    "shared-id": "an-id-for-each-event",
    "fresh-id": "one-id-in-all-attempts",
    "changing-body": "one-body-in-all-attempts",
    "old-time": "the-time-of-the-attempt",
    "milliseconds": "the-time-of-the-attempt",
    "first-time": "a-new-time-for-each-attempt",
    "signs-other-bytes": "signed-as-it-is-sent",
    "signs-no-id": "signed-as-it-is-sent",
    "signs-no-time": "signed-as-it-is-sent",
    "secret-not-decoded": "signed-as-it-is-sent",
    "first-signature": "signed-anew-for-each-attempt",
    "newest-secret-only": "signed-with-each-secret",
    "secret-in-user-agent": "nothing-secret-is-sent",
    "credentials": "nothing-secret-is-sent",
    "only-200": "a-2xx-ends-it",
    "gone-retried": "a-410-ends-it",
    "4xx-ends": "other-answers-are-retried",
    "broken-ends": "no-answer-is-retried",
    "timeout-ends": "no-answer-is-retried",
    "follows": "redirects-are-not-followed",
    "redirect-ends": "redirects-are-not-followed",
    "comes-at-once": "retry-after-is-heeded",
    "reads-all": "long-answers-are-cut",
    "waits": "a-silent-receiver-is-left",
    "hasty": "a-silent-receiver-is-left",
    "waits-for-each-byte": "a-slow-receiver-is-left",
}
"""The rule that each flaw breaks."""

_ALSO_END = {
    "4xx-ends": {400, 404, 429},
    "broken-ends": {0},
    "timeout-ends": {-1},
    "redirect-ends": {301, 302, 307, 308},
}
_DO_NOT_END = {"only-200": {201, 202, 299}, "gone-retried": {410}}


def sender_with(flaw: str) -> Sender:
    """Return a sender with a flaw; the empty text is none."""

    def deliver(job: Job) -> None:
        shared = f"evt_{uuid4().hex}"
        for name in job.events:
            _Delivery(job, name, shared if flaw == "shared-id" else f"evt_{uuid4().hex}", flaw).run()

    return deliver


@dataclass
class _Delivery:
    """One event on its way; `ahead` is how far its simulated clock has been put on."""

    job: Job
    name: str
    event_id: str
    flaw: str
    ahead: float = 0.0
    began: float = field(default_factory=time.time)

    def run(self) -> None:
        if self.flaw == "dotted-id":
            self.event_id = self.event_id.replace("_", ".")
        content = {"type": self.name, "timestamp": "2026-11-22T12:00:00Z", "data": {"text": "é"}}
        if self.flaw == "untyped":
            del content["type"]
        first: list[tuple[str, str]] = []
        for number in range(self.job.attempts):
            if number and self.flaw == "fresh-id":
                self.event_id = f"evt_{uuid4().hex}"
            if number and self.flaw == "changing-body":
                content["data"] = {"attempt": str(number)}
            body = json.dumps(content, separators=(",", ":")).encode()
            headers = self._headers(body, first)
            first = first or headers
            status, retry_after = self._send(self.job.url, headers, body)
            if self._is_over(status):
                return
            self.ahead += 2.0 if self.flaw == "comes-at-once" else max(2.0, retry_after)

    def _headers(self, body: bytes, first: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        flaw, at = self.flaw, self.began if self.flaw == "first-time" else time.time() + self.ahead
        timestamp = str(int({"old-time": at - 1000, "milliseconds": at * 1000}.get(flaw, at)))
        secrets = self.job.secrets[:1] if flaw == "newest-secret-only" else self.job.secrets
        signed = " ".join(self._signature(secret, timestamp, body) for secret in secrets)
        if first and flaw == "first-signature":
            signed = dict(first)["webhook-signature"]
        headers = [
            ("Content-Type", "application/x-www-form-urlencoded" if flaw == "form" else "application/json"),
            ("webhook-id", self.event_id),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signed),
        ]
        if flaw == "header-twice":
            headers.append(("webhook-signature", signed))
        if flaw == "secret-in-user-agent":
            headers.append(("User-Agent", f"sender ({self.job.secrets[0]})"))
        if flaw == "credentials":
            headers.append(("Authorization", "Bearer token"))
        return headers

    def _signature(self, secret: str, timestamp: str, body: bytes) -> str:
        match self.flaw:
            case "signs-other-bytes":
                return signature(secret, self.event_id, timestamp, json.dumps(json.loads(body), indent=1).encode())
            case "signs-no-id":
                return signature(secret, "", timestamp, body)
            case "signs-no-time":
                return signature(secret, self.event_id, "", body)
            case "secret-not-decoded":
                signed = hmac.new(secret.encode(), f"{self.event_id}.{timestamp}.".encode() + body, hashlib.sha256)
                return "v1," + base64.b64encode(signed.digest()).decode()
            case _:
                return signature(secret, self.event_id, timestamp, body)

    def _send(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> tuple[int, float]:
        """Return status and `Retry-After`; the status is 0 if the connection broke, -1 if the time was over."""
        parts, limit = urlsplit(url), self.job.timeout_seconds
        if self.flaw == "hasty":
            limit /= 10
        give_up = time.monotonic() + limit
        with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=limit)) as connection:
            connection.connect()
            wire = connection.sock
            connection.putrequest("PUT" if self.flaw == "put" else "POST", parts.path)
            for name, value in (*headers, ("Content-Length", str(len(body)))):
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = b"".join(self._read(wire, give_up))
        head = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        if b"\r\n\r\n" not in answer:
            return (0 if time.monotonic() < give_up else -1), 0.0
        fields = dict(line.lower().split(": ", 1) for line in head[1:])
        status = int(head[0].split()[1])
        if status in range(300, 400) and self.flaw == "follows":
            return self._send(fields["location"], headers, body)
        return status, float(fields.get("retry-after", 0))

    def _read(self, wire: socket.socket, give_up: float) -> Iterator[bytes]:
        """Yield an answer up to 64 KB, until the time is over."""
        size, began = 0, False
        with suppress(OSError):
            while size < 65_536 or self.flaw == "reads-all":
                left = give_up - time.monotonic()
                if self.flaw == "waits-for-each-byte" and began:
                    left = 1.0
                if self.flaw == "waits" and not began:
                    left = 60.0
                if left <= 0:
                    return
                wire.settimeout(left)
                part = wire.recv(65_536)
                if not part:
                    return
                began = True
                size += len(part)
                yield part

    def _is_over(self, status: int) -> bool:
        """Return whether there is no other attempt after a status."""
        ends = {200, 201, 202, 204, 299, 410} | _ALSO_END.get(self.flaw, set())
        return status in ends - _DO_NOT_END.get(self.flaw, set())


if __name__ == "__main__":
    sender_with(sys.argv[1] if len(sys.argv) > 1 else "")(Job(**json.loads(sys.stdin.readline())))
