"""Events of an HTTP API (payload 2.0) with every part that this code reads, whatever a caller left out or sent."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

ANSWER_TIME = timedelta(seconds=28)
"""How long after its arrival at the gateway a request is answered: Lambda ends the function after 29 s."""

_LATEST_EPOCH = 100_000_000_000_000
"""Milliseconds; the year 5138, which every clock of this code can represent."""


def complete(event: Any) -> dict[str, Any]:
    """Return the event with its parts in the types that API Gateway gives them; header names in lower case.

    A function may be invoked with any JSON. What is missing becomes empty; text that cannot be encoded (lone
    surrogates) becomes text that can. Cookies are left out, because nothing reads them.
    """
    given = _mapping(event)
    context = _mapping(given.get("requestContext"))
    http = _mapping(context.get("http"))
    path = _text(given.get("rawPath")) or _text(http.get("path")) or "/"
    return {
        **given,
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": _text(given.get("rawQueryString")),
        "headers": {name.lower(): value for name, value in _texts(given.get("headers")).items()},
        "queryStringParameters": _texts(given.get("queryStringParameters")),
        "cookies": [],
        "body": _text(given.get("body")),
        "isBase64Encoded": given.get("isBase64Encoded") is True,
        "requestContext": {
            **context,
            "requestId": _text(context.get("requestId")),
            "stage": _text(context.get("stage")) or "$default",
            "timeEpoch": _epoch(context.get("timeEpoch")),
            "http": {**http, "method": _text(http.get("method")).upper(), "path": path},
        },
    }


def arrived(request: dict[str, Any], now: datetime) -> datetime:
    """Return when the gateway took a complete request.

    Now for a time to come, which a clock that is wrong says, and for a request that the gateway has given up: nobody
    waits for that but who sent a kept event by hand.
    """
    taken = datetime.fromtimestamp(request["requestContext"]["timeEpoch"] / 1000, UTC)
    return taken if timedelta() <= now - taken < ANSWER_TIME else now


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> dict[str, str]:
    return {_text(name): _text(text) for name, text in _mapping(value).items() if text is not None}


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _epoch(value: Any) -> int:
    is_time = isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LATEST_EPOCH
    return value if is_time else int(time.time() * 1000)
