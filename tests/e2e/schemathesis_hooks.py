"""Loaded by schemathesis: what a schema cannot say of a request."""

from __future__ import annotations

import itertools
import json
import os
import secrets
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import schemathesis
from schemathesis import GenerationMode

from matchcast.errors import KeyMalformed
from matchcast.http.idempotency import HEADER, idempotency_key

LONGEST = 255
INTERNAL = (b"arn:aws", b"Traceback", b"/python/", b"/var/task", b"amazonaws", b"matchcast-", b"botocore", b"pydantic")
REASONS: dict[int, list[tuple[str, list[str]]]] = {
    410: [("urn:matchcast:problem:task-gone", []), ("urn:matchcast:problem:batch-gone", [])],
    422: [
        *(("urn:matchcast:problem:invalid-request", [pointer]) for pointer in ("/features", "/gzip", "/since")),
        ("urn:matchcast:problem:address-refused", ["/callback_url"]),
    ],
    429: [("urn:matchcast:problem:too-many-batches", [])],
}
_run = secrets.token_hex(4)
_numbers = itertools.count()
_turns: dict[str, Iterator[int]] = defaultdict(itertools.count)
_known: dict[str, list[str]] = json.loads(os.environ.get("MATCHCAST_KNOWN", "{}"))


@schemathesis.hook
def before_call(context: Any, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Have most requests ask for what is there, and make each good key another one.

    A key that came with another request is refused, and rightly so.
    """
    if case.meta is None or case.meta.generation.mode is GenerationMode.NEGATIVE:
        return
    for values in (case.path_parameters, case.query, case.body):
        if isinstance(values, dict):
            values |= {name: known(name) for name in values if is_replaceable(name, values[name])}
    key = case.headers.get(HEADER) if case.headers else None
    if isinstance(key, str) and is_good(key):
        case.headers[HEADER] = distinct(key)


def is_replaceable(name: str, value: Any) -> bool:
    """Return whether a value that was generated for a parameter is replaced: three of four."""
    return name in _known and isinstance(value, str) and next(_numbers) % 4 != 0


def known(name: str) -> str:
    """Return one of the values that the stack knows, another one each time."""
    return _known[name][next(_turns[name]) % len(_known[name])]


def is_good(key: str) -> bool:
    """Return whether the service would take a key."""
    try:
        idempotency_key(key, "", None)
    except KeyMalformed:
        return False
    return True


def distinct(key: str) -> str:
    """Return a key of the same kind that was not used before; a key of the greatest length stays that long."""
    key, number = key.strip(), f"{_run}{next(_numbers):06d}"
    quote = '"' if key.startswith('"') else ""
    content = key.strip('"') if quote else key
    longer = number + content
    return quote + (longer if len(longer) <= LONGEST else number + "x" * (LONGEST - len(number))) + quote


@schemathesis.check
def refused_for_its_reason(context: Any, response: schemathesis.Response, case: schemathesis.Case[Any]) -> None:
    """Refuse a 410, 422 or 429 to a good request for any reason but those that schemathesis.toml gives."""
    if case.meta is None or case.meta.generation.mode is GenerationMode.NEGATIVE:
        return
    if response.status_code not in REASONS:
        return
    problem = response.json()
    found = problem["type"], [error.get("pointer") for error in problem.get("errors", [])]
    assert found in REASONS[response.status_code], f"A good request was refused: {problem}"


@schemathesis.check
def nothing_internal(context: Any, response: schemathesis.Response, case: schemathesis.Case[Any]) -> None:
    """Refuse answers that name resources, files or the code's own words."""
    # An address that was signed names the bucket; that is its purpose.
    if b"x-amz-signature" in response.content.lower():
        return
    found = [word for word in INTERNAL if word in response.content]
    assert not found, f"The answer holds {found}."
