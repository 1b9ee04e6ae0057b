"""Requests that once made the service fail, wait, or answer at length, and how each is answered now."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import urllib3

from matchcast_tools.stack.deployed import Stack

SLOWEST_SECONDS = 0.5
LONGEST_ANSWER = 200_000
DOCUMENTS = {"/openapi.json", "/docs"}
"""Paths whose answers are as long for every request."""


@dataclass(frozen=True)
class Hostile:
    """One request, and the statuses that it may get."""

    name: str
    method: str
    path: str
    statuses: tuple[int, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    anonymous: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a request got: the least time of a few attempts, for a first one may start a worker."""

    request: Hostile
    status: int
    size: int
    seconds: float
    content: bytes

    @property
    def is_good(self) -> bool:
        """Return whether it is answered as it should be, shortly and soon."""
        short = self.size < LONGEST_ANSWER or (self.status == 200 and self.request.path in DOCUMENTS)
        return self.status in self.request.statuses and short and self.seconds < SLOWEST_SECONDS

    def line(self) -> str:
        """Return a row of the table."""
        mark = "ok " if self.is_good else "BAD"
        return f"{mark} {self.status} {self.size:>7} B {self.seconds * 1000:>7.1f} ms  {self.request.name}"


def features(levels: int) -> str:
    return '{"features": ' + '{"a":' * levels + "1" + "}" * levels + "}"


def names(count: int) -> str:
    return json.dumps({"features": {f"feature{number:06}": number for number in range(count)}})


def requests(match_id: str) -> Iterator[Hostile]:
    """Yield every hostile request; the anonymous ones are answered without a token."""
    for what, date in {
        "day": "Sun, 99999999999 Mar 2026 12:00:00 GMT",
        "year": "Sun, 01 Mar 99999999999999999999 12:00:00 GMT",
        "hour": "Sun, 01 Mar 2026 99999999999999:00:00 GMT",
        "zone": "Sun, 01 Mar 2026 12:00:00 +99999999999999",
    }.items():
        sent = {"If-Modified-Since": date}
        yield Hostile(f"If-Modified-Since with a huge {what}", "GET", "/openapi.json", (200,), sent, anonymous=True)
        yield Hostile(
            f"If-Modified-Since with a huge {what}, of a list", "GET", "/predict/cards/?limit=2", (200,), sent
        )
    spaces = " " * 8_000
    yield Hostile(
        "8 KB of spaces in If-None-Match",
        "GET",
        "/openapi.json",
        (200,),
        {"If-None-Match": f"x{spaces}x"},
        anonymous=True,
    )
    yield Hostile("8 KB of spaces in Prefer", "GET", f"/predict/{match_id}", (200,), {"Prefer": f"wait{spaces}x"})
    for path in ("/predict/", "/predict/async/"):
        for levels in (20, 256, 1_000, 5_000):
            yield Hostile(f"features {levels} deep, POST {path}", "POST", path, (422,), body=features(levels))
        yield Hostile(f"1 MB of unknown features, POST {path}", "POST", path, (413,), body=names(42_000))
        yield Hostile(f"5 MB of unknown features, POST {path}", "POST", path, (413,), body=names(210_000))
        yield Hostile(f"100 KB of unknown features, POST {path}", "POST", path, (422,), body=names(4_000))
        yield Hostile(
            f"a number of 5,000 digits, POST {path}",
            "POST",
            path,
            (422,),
            body='{"features": {"a": ' + "9" * 5_000 + "}}",
        )
        yield Hostile(f"1e400, POST {path}", "POST", path, (422,), body='{"features": {"a": 1e400}}')
        yield Hostile(f"a lone surrogate, POST {path}", "POST", path, (422,), body='{"features": {"\\ud800": 1}}')
        yield Hostile(f"a member twice, POST {path}", "POST", path, (422,), body='{"features": {}, "features": {}}')
        yield Hostile(
            f"not JSON by its type, POST {path}", "POST", path, (415,), {"Content-Type": "text/xml"}, body="<a/>"
        )
        yield Hostile(f"an encoded body, POST {path}", "POST", path, (415,), {"Content-Encoding": "gzip"}, body="{}")
    for within in ("true", '"5"', "5.5", "[5]"):
        body = f'{{"match_id": "{match_id}", "start_within": {within}}}'
        yield Hostile(f"start_within: {within}", "POST", "/predict/async/", (422,), body=body)
    for task_id in ("x" * 2_044, "%00", "%ED%A0%80", "..%2F..", "A" * 36):
        shown = task_id if len(task_id) < 40 else f"{len(task_id)} characters"
        yield Hostile(f"a task id of {shown}", "GET", f"/monitoring/task_status/{task_id}", (404,))
        yield Hostile(f"the result of {shown}", "GET", f"/results/{task_id}", (404,))
        yield Hostile(f"cancel {shown}", "DELETE", f"/predict/async/{task_id}", (404,))
        yield Hostile(f"retry {shown}", "POST", f"/predict/async/{task_id}/retry", (404,))
    yield Hostile("a match id of 4,000 characters", "GET", "/predict/" + "x" * 4_000, (404,))
    yield Hostile("a precomputed match of 4,000 characters", "GET", "/predict/precomputed/" + "x" * 4_000, (404,))
    yield Hostile("a stage of 4,000 characters", "GET", f"/predict/{match_id}?stage=" + "x" * 4_000, (422,))
    yield Hostile("a cursor of 4,000 characters", "GET", "/predict/async/?cursor=" + "x" * 4_000, (422,))
    yield Hostile("a forged cursor", "GET", "/predict/cards/?cursor=" + "A" * 40, (404,))
    yield Hostile("tasks of a match of 4,000 characters", "GET", "/predict/async/?match_id=" + "x" * 4_000, (422,))
    for limit in ("1.0", "1_0", "%2B5", "9" * 5_000, "1&limit=2", ""):
        yield Hostile(f"limit={limit[:20]}", "GET", f"/predict/cards/?limit={limit}", (422,))
    yield Hostile("an unknown parameter", "GET", "/predict/cards/?colour=red", (422,))
    yield Hostile("200 unknown parameters", "GET", "/predict/cards/?" + "&".join(f"p{n}=1" for n in range(200)), (422,))
    for wait in ("0", "1000000000", "9" * 3_000):
        yield Hostile(
            f"Prefer: wait={wait[:12]}", "GET", f"/predict/{match_id}", (200, 504), {"Prefer": f"wait={wait}"}
        )
    yield Hostile(
        "a key of 4,000 characters",
        "POST",
        "/predict/async/",
        (400,),
        {"Idempotency-Key": "k" * 4_000},
        body="{}".replace("{}", f'{{"match_id": "{match_id}"}}'),
    )
    for path in ("/health", "/openapi.json", "/docs"):
        yield Hostile(f"HEAD {path}", "HEAD", path, (200,), anonymous=True)
    for path in ("/predict/cards/", f"/predict/{match_id}", "/predict/async/", "/predict/model/info"):
        yield Hostile(f"HEAD {path}", "HEAD", path, (200,))
        yield Hostile(f"HEAD {path} without a token", "HEAD", path, (401,), anonymous=True)
    yield Hostile("an unknown path of control characters", "GET", "/%1b%5B31m%0d%0a", (404,), anonymous=True)
    yield Hostile(
        "a hostile trace id",
        "GET",
        "/health",
        (200,),
        {"X-Amzn-Trace-Id": "Root=" + "\x7f" * 500, "X-Request-Id": "%00"},
        anonymous=True,
    )


def send(stack: Stack, token: str, request: Hostile, attempts: int = 4) -> Outcome:
    """Send a request a few times, and return its answer with the least time."""
    pool = urllib3.PoolManager(timeout=35, retries=False)
    headers = {"Host": stack.host_header or "", "Content-Type": "application/json", **request.headers}
    if not request.anonymous:
        headers["Authorization"] = f"Bearer {token}"
    outcome: Outcome | None = None
    for _ in range(attempts):
        started = time.perf_counter()
        answer = pool.request(
            request.method, stack.api_url.rstrip("/") + request.path, body=request.body, headers=headers
        )
        seconds = time.perf_counter() - started
        if outcome is None or seconds < outcome.seconds or not outcome.is_good:
            outcome = Outcome(request, answer.status, len(answer.data), seconds, answer.data)
        if outcome.is_good:
            break
    assert outcome is not None
    return outcome
