"""Answers that clients may keep: entity tags, conditional requests (RFC 9110) and gzip."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

import orjson
from aws_lambda_powertools.event_handler import Response

from matchcast.http.headers import header, http_date

_COMPRESS_FROM_BYTES = 1_000
"""Below this, gzip and base64 together save nothing."""

_QUALITY = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Freshness:
    """What identifies one state of an answer, and how long it may be kept.

    `identity` holds everything that the body depends on; equal identities mean equal bodies.
    """

    identity: Mapping[str, Any]
    modified_at: datetime
    cache_control: str


def cached_response(
    headers: Mapping[str, str],
    freshness: Freshness,
    body: Callable[[], bytes],
    *,
    content_type: str = "application/json",
) -> Response[Any]:
    """Return 304 if the client holds this very state, else 200 with the body, compressed if that is accepted.

    Parameters
    ----------
    headers
        Of the request, by lower-case name.
    freshness
        Which state the body is.
    body
        Makes the body; it is not called for a 304.
    content_type
        Of the body.
    """
    wants_gzip = accepts_gzip(header(headers, "accept-encoding") or "")
    tag = entity_tag(freshness.identity, encoding="gzip" if wants_gzip else "identity")
    answer_headers: dict[str, str | list[str]] = {
        "ETag": tag,
        "Last-Modified": format_datetime(freshness.modified_at.astimezone(UTC), usegmt=True),
        "Cache-Control": freshness.cache_control,
        "Vary": "Accept-Encoding, Authorization",
    }
    if is_unchanged(headers, tag, freshness.modified_at):
        return Response(304, headers=answer_headers)
    content = body()
    if not wants_gzip or len(content) < _COMPRESS_FROM_BYTES:
        return Response(200, content_type=content_type, headers=answer_headers, body=content.decode())
    response = Response(200, content_type=content_type, headers=answer_headers, body=_gzip_base64(content))
    response.headers["Content-Encoding"] = "gzip"
    # The body is base64 already: Powertools would serialise bytes as JSON.
    response.base64_encoded = True
    return response


def entity_tag(identity: Mapping[str, Any], *, encoding: str) -> str:
    """Return the strong entity tag of a state in one encoding."""
    content = orjson.dumps([encoding, dict(identity)], option=orjson.OPT_SORT_KEYS)
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def is_unchanged(headers: Mapping[str, str], tag: str, modified_at: datetime) -> bool:
    """Return whether a GET's preconditions say that the client holds this state.

    `If-None-Match` is compared weakly and takes the place of `If-Modified-Since`; what cannot be
    parsed is ignored.
    """
    if "if-none-match" in headers:
        held = header(headers, "if-none-match") or ""
        # Our tags have no comma, so another tag that has some cannot look like ours.
        return held.strip() == "*" or tag in (part.strip().removeprefix("W/") for part in held.split(","))
    since = http_date(headers.get("if-modified-since"))
    return since is not None and modified_at.replace(microsecond=0) <= since


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether gzip is acceptable, and not less welcome than no encoding.

    Examples
    --------
    >>> accepts_gzip("br, gzip"), accepts_gzip("gzip;q=0, *"), accepts_gzip("gzip;q=0.5, identity")
    (True, False, False)
    """
    qualities: dict[str, float] = {}
    for part in accept_encoding.split(","):
        name, _, parameters = part.partition(";")
        found = _QUALITY.search(parameters)
        qualities[name.strip().lower()] = float(found[1]) if found else 1.0
    gzip_quality = qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0)))
    return gzip_quality > 0 and gzip_quality >= qualities.get("identity", 0.0)


@lru_cache(maxsize=32)
def _gzip_base64(content: bytes) -> str:
    # The same pages are asked for again and again; mtime=0 makes equal bodies compress to equal bytes.
    return base64.b64encode(gzip.compress(content, compresslevel=6, mtime=0)).decode()
