"""Requests made from a seed: valid ones, valid ones with mutations, and garbage."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from tests.fuzz.batches import BATCH_IDS, INPUT
from tests.fuzz.callbacks import CALLBACK_ROUTES
from tests.fuzz.routes import Route
from tests.fuzz.world import CALLBACK, HANDLERS, MATCH, TASK_IDS, TENANT
from tests.support.tasks import NOW

EPOCH = int(NOW.timestamp() * 1000)
LONG = 8_000
TEXTS = [
    *("", " ", "\t", "\x00", "\x1b[31m", "\x9b2J", "\u202e", "\ufeff", "é", "٣", "\ud800", "😀", "\r\nX: y"),
    *("%00", "%2F", "%ED%A0%80", "%", "%zz", "..", "../..", "//", "?", "#", ";", "=", ",", '"', '""', '"a', "'", "\\"),
    *("*", "W/", 'W/"', "q=", "q=2", "0", "-1", "1.0", "1_0", "1e400", "NaN", "Infinity", "9" * 30, "9" * 5_000),
    *("null", "true", "{}", "[]", "<script>", "${x}", "GMT", "wait", "respond-async", "wait=5", "gzip;q=0"),
    *("champion", "predictions", "batch", "2026-03-07", MATCH),
]
PUMPS = [" ", ",", '"', "=", ";", "a", "9", "[", "{", "%", "%20", "a,", '",', "W/", "q=1;", "é", "\x00", "..", "/", "-"]
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 5, 2**31, 2**63, 2**64, 10**40, 1.5, 1e308, -1e-400, "", "5", "x", [], [1], {}),
    *({"a": 1}, [[]], "champion", MATCH, "high", "\x1b[31m", "\u202e"),
]
HEADERS: Mapping[str, list[str]] = {
    "prefer": ["respond-async", "wait=5", "wait=0", "wait=0, respond-async", 'wait="5";a=b, x', "wait=100", "a=b"],
    "idempotency-key": ['"k"', "k", '"a\\"b"', "x" * 255],
    "if-none-match": ["*", '"abc"', 'W/"a", "b,c"', '"a" , *'],
    "if-modified-since": [
        "Sun, 01 Mar 2026 12:00:00 GMT",
        "Sunday, 01-Mar-26 12:00:00 GMT",
        "Sun Mar  1 12:00:00 2026",
        "Sun, 01 Mar 2026 12:00:00 +0100",
    ],
    "accept-encoding": ["gzip", "br, gzip;q=0.5, *;q=0", "identity;q=1, gzip"],
    "content-type": ["application/json", "application/json; charset=utf-8", "text/plain", "application/x+json"],
    "content-encoding": ["identity", "gzip"],
    "content-length": ["0", "5"],
    "accept": ["*/*", "text/html"],
    "cookie": ["a=b; c=d"],
    "x-amzn-trace-id": ["Root=1-67891233-abcdef012345678912345678"],
    "x-request-id": ["r"],
    "user-agent": ["fuzz"],
    "transfer-encoding": ["chunked"],
}
CURSOR = "AAAAAAAAAAAAAAAAAAAAAFsxLCJlMCJd"
FILTERS = {
    "region": "england",
    "league": "La Liga",
    "team": "Alder",
    "date_from": "2026-03-08",
    "date_to": "2026-03-09",
}
LIST = {**FILTERS, "limit": "3", "cursor": CURSOR}
FEATURES = {"elo_difference": 12.5, "form": 0.3}


SERVE, PREDICT, TRACK, MANAGE = "serve_predictions", "predict_now", "track_tasks", "manage_batches"
ROUTES = [
    *(Route(SERVE, "GET", f"/predict/{name}/", LIST) for name in ("predictions", "cards", "odds")),
    Route(SERVE, "GET", "/predict/region-roi/", {"region": "england"}),
    Route(SERVE, "GET", "/predict/model/scorecard", {}),
    Route(SERVE, "GET", f"/predict/precomputed/{MATCH}", {}),
    Route(SERVE, "GET", "/health", {}),
    Route(SERVE, "GET", "/openapi.json", {}),
    Route(PREDICT, "GET", f"/predict/{MATCH}", {"stage": "champion"}),
    Route(PREDICT, "GET", "/predict/model/info", {"stage": "champion"}),
    Route(PREDICT, "POST", "/predict/", {}, ({"features": FEATURES}, {"features": FEATURES, "stage": "champion"})),
    Route(
        "submit_prediction",
        "POST",
        "/predict/async/",
        {},
        (
            {"match_id": MATCH},
            {"features": FEATURES, "stage": "champion", "priority": "high", "start_within": 5},
            {"match_id": MATCH, "priority": "normal", "features": None, "start_within": None},
            {"match_id": MATCH, "callback_url": CALLBACK},
        ),
    ),
    Route(TRACK, "GET", "/predict/async/", {"status": "queued", "match_id": MATCH, "limit": "5", "cursor": CURSOR}),
    Route(TRACK, "GET", f"/monitoring/task_status/{TASK_IDS[0]}", {}),
    *(Route(TRACK, "GET", f"/results/{task_id}", {}) for task_id in TASK_IDS),
    *(Route(TRACK, "DELETE", f"/predict/async/{task_id}", {}) for task_id in TASK_IDS[:2]),
    *(Route(TRACK, "POST", f"/predict/async/{task_id}/retry", {}) for task_id in TASK_IDS[1:]),
    Route(MANAGE, "POST", "/predict/batch/uploads", {}, ({"format": "csv", "gzip": True}, {"format": "parquet"})),
    Route(
        MANAGE,
        "POST",
        "/predict/batch/",
        {},
        (
            {"match_ids": [MATCH, MATCH], "stage": "champion", "output_format": "jsonl"},
            {"input": INPUT, "match_ids": None, "output_format": "parquet", "callback_url": CALLBACK},
        ),
    ),
    Route(MANAGE, "GET", "/predict/batch/", {"limit": "5", "cursor": CURSOR}),
    *(
        Route(MANAGE, "GET", f"/predict/batch/{each}", {"links": "true", "parts": "true", "after": "1"})
        for each in BATCH_IDS
    ),
    *(Route(MANAGE, "DELETE", f"/predict/batch/{each}", {}) for each in BATCH_IDS),
    *(Route(MANAGE, "POST", f"/predict/batch/{each}/retry-failed", {}) for each in BATCH_IDS),
    *CALLBACK_ROUTES,
]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "", "G\x00T", "x" * 300, "get"]


@dataclass(frozen=True)
class Case:
    """One request: the function that is asked, and the event."""

    handler: str
    event: dict[str, Any]


def make(seed: int) -> Case:
    """Return the case of a seed, always the same."""
    rng = random.Random(seed)
    route = rng.choice(ROUTES)
    handler = route.handler if rng.random() < 0.97 else rng.choice(list(HANDLERS))
    method = route.method if rng.random() < 0.93 else rng.choice(["HEAD", *METHODS])
    path = mutate(rng, route.path) if rng.random() < 0.2 else route.path
    wanted = [pair for pair in route.query.items() if rng.random() < 0.3]
    query = [(mutate(rng, name) if rng.random() < 0.05 else name, maybe(rng, value)) for name, value in wanted]
    if rng.random() < 0.1:
        query += [rng.choice([*query, (rng.choice(TEXTS), rng.choice(TEXTS))])] * rng.choice([1, 1, 200])
    headers = {name: maybe(rng, rng.choice(HEADERS[name])) for name in HEADERS if rng.random() < 0.15}
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": urlencode(
            [(name.encode("utf-8", "replace"), v.encode("utf-8", "replace")) for name, v in query]
        ),
        "headers": headers,
        "requestContext": context(method, path),
        "isBase64Encoded": False,
    }
    if query:
        event["queryStringParameters"] = joined(query)
    if route.bodies or rng.random() < 0.1:
        event |= body(rng, rng.choice(route.bodies or ({},)))
    return Case(handler, broken(rng, event) if rng.random() < 0.03 else event)


def joined(query: list[tuple[str, str]]) -> dict[str, str]:
    """Return the parameters as the gateway gives them: one that is sent twice has its values joined by commas."""
    values: dict[str, list[str]] = {}
    for name, value in query:
        values.setdefault(name, []).append(value)
    return {name: ",".join(sent) for name, sent in values.items()}


def context(method: str, path: str) -> dict[str, Any]:
    """Return a request's context with the claims of a token that may read and write."""
    claims = {"client_id": TENANT, "scope": "predictions/read predictions/write"}
    return {
        "authorizer": {"jwt": {"claims": claims, "scopes": None}},
        "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "fuzz"},
        "requestId": "WqXyZjI5oAMEP7w=",
        "stage": "$default",
        "timeEpoch": EPOCH,
    }


def maybe(rng: random.Random, text: str) -> str:
    return mutate(rng, text) if rng.random() < 0.5 else text


def mutate(rng: random.Random, text: str) -> str:
    """Return the text with one to three changes, or with one part of it many times."""
    if rng.random() < 0.04:
        at, pump = rng.randint(0, len(text)), rng.choice(PUMPS)
        return text[:at] + pump * (rng.choice([50, 1_000, LONG]) // len(pump)) + text[at:]
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at = rng.randint(0, len(text))
        head, tail, other = text[:at], text[at:], rng.choice(TEXTS)
        changes = (
            head,
            other,
            head + other + tail,
            head + other + tail[1:],
            head + tail[rng.randint(1, 8) :],
            head + chr(rng.randrange(0x80)) + tail,
            head + chr(rng.choice([rng.randrange(0x250), rng.randrange(0xD7FF)])) + tail,
            text + rng.choice([",", ";", " ", "/"]) + text,
            head + quote(tail[:50].encode("utf-8", "replace")),
            text.swapcase(),
        )
        text = rng.choice(changes)[: 2 * LONG]
    return text


def body(rng: random.Random, valid: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of an event that carry a body."""
    content: Any = json.loads(json.dumps(valid))
    kind = rng.random()
    if kind < 0.6:
        content = changed(rng, content)
    text = json.dumps(content, ensure_ascii=rng.random() < 0.5)
    if 0.6 < kind < 0.75:
        text = mutate(rng, text)
    elif 0.75 < kind < 0.8:
        text = rng.choice(TEXTS) if rng.random() < 0.5 else mutate(rng, "".join(rng.choice(TEXTS) for _ in range(9)))
    elif 0.8 < kind < 0.83:
        levels = rng.choice([15, 17, 256, 1_000, 1_100, 100_000])
        opening, closing = rng.choice([('{"a":', "}"), ("[", "]"), ('{"features":', "}")])
        text = opening * levels + "1" + closing * (levels if rng.random() < 0.7 else 0)
    elif 0.83 < kind < 0.835:
        many = rng.choice([200, 5_000, 20_000])
        text = json.dumps({**valid, "features": {f"{rng.choice(PUMPS)}{n}": n for n in range(many)}})
    if not rng.random() < 0.1:
        return {"body": text}
    encoded = base64.b64encode(text.encode("utf-8", "replace")).decode()
    return {"body": maybe(rng, encoded), "isBase64Encoded": True}


def changed(rng: random.Random, content: dict[str, Any]) -> dict[str, Any]:
    """Return the members with some replaced, removed, added or put one level deeper."""
    for _ in range(rng.choice([1, 1, 2, 4])):
        inner = content.get("features")
        target = inner if isinstance(inner, dict) and rng.random() < 0.5 else content
        name = rng.choice([*target, rng.choice(TEXTS)])
        value = rng.choice([*VALUES, mutate(rng, "x"), {name: content}])
        if rng.random() < 0.2:
            target.pop(name, None)
        else:
            target[name] = json.loads(json.dumps(value))
    return content


def broken(rng: random.Random, event: dict[str, Any]) -> dict[str, Any]:
    """Return the event with a part missing or of another type; the gateway's time and claims stay."""
    parts = [name for name in event if name != "requestContext"]
    name = rng.choice(parts)
    if rng.random() < 0.5:
        return {key: value for key, value in event.items() if key != name}
    return event | {name: rng.choice(VALUES)}
