"""A small S3: one bucket, and what the product asks of it. Whoever asks sees every write before, as in S3.

`test_faithful.py` asks moto the same questions.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.faults.dynamodb import ServiceError
from tests.faults.expressions import Unmodelled
from tests.faults.scheduler import Scheduler
from tests.support.tasks import NOW

_SPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_PAGE = 1000


@dataclass(frozen=True)
class Stored:
    """An object, and when it was written."""

    body: bytes
    written_at: float = 0.0


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class S3:
    """The bucket, behind its requests as the wire brings them."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.stored: dict[str, Stored] = {}
        self.on_write: Callable[[str], None] = lambda _key: None
        """Is told which object was written."""
        self._scheduler = scheduler

    def handle(self, operation: str, content: Any) -> Reply:
        """Answer a request.

        Raises
        ------
        ServiceError
            If the service says no.
        """
        match operation:
            case "GetObject":
                return self._get(content)
            case "PutObject":
                return self._put(content)
            case "ListObjectsV2":
                return self._list(content)
        raise Unmodelled(f"S3's {operation}")

    def put(self, key: str, body: bytes) -> None:
        """Write an object."""
        self.stored[key] = Stored(body, self._scheduler.now)
        self.on_write(key)

    def _get(self, asked: Any) -> Reply:
        stored = self.stored.get(asked["Key"])
        if stored is None:
            raise ServiceError("NoSuchKey", "The specified key does not exist.", 404)
        headers = _headers(stored.body)
        if asked.get("If-None-Match") == headers["ETag"]:
            return Reply(304, headers={"ETag": headers["ETag"]})
        return Reply(200, stored.body, headers)

    def _put(self, asked: Any) -> Reply:
        stored = self.stored.get(asked["Key"])
        if asked.get("If-None-Match") == "*" and stored is not None:
            raise ServiceError("PreconditionFailed", "At least one of the preconditions did not hold", 412)
        if "If-Match" in asked:
            if stored is None:
                raise ServiceError("NoSuchKey", "The specified key does not exist.", 404)
            if asked["If-Match"] != _headers(stored.body)["ETag"]:
                raise ServiceError("PreconditionFailed", "At least one of the preconditions did not hold", 412)
        self.put(asked["Key"], asked["Body"])
        return Reply(headers={"ETag": _headers(asked["Body"])["ETag"]})

    def _list(self, asked: Any) -> Reply:
        after, most = asked.get("continuation-token", ""), int(asked.get("max-keys", _PAGE))
        keys = sorted(key for key in self.stored if key.startswith(asked.get("prefix", "")) and key > after)
        page = keys[:most]
        lines = [f"<IsTruncated>{str(len(page) < len(keys)).lower()}</IsTruncated>"]
        if len(page) < len(keys):
            lines.append(f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>")
        for key in page:
            stored = self.stored[key]
            written_at = (NOW + timedelta(seconds=stored.written_at)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            etag, size = escape(_headers(stored.body)["ETag"]), len(stored.body)
            named = f"<Key>{quote(key)}</Key><LastModified>{written_at}</LastModified>"
            lines.append(f"<Contents>{named}<ETag>{etag}</ETag><Size>{size}</Size></Contents>")
        body = f'<ListBucketResult xmlns="{_SPACE}"><EncodingType>url</EncodingType>{"".join(lines)}</ListBucketResult>'
        return Reply(200, body.encode(), {"Content-Type": "application/xml"})


def asked_of(request: Any) -> tuple[str, dict[str, Any]]:
    """Return the operation and the parameters of an HTTP request."""
    url = urlsplit(request.url)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    content: dict[str, Any] = {"Key": unquote(url.path).removeprefix("/"), **query}
    for name in ("If-None-Match", "If-Match"):
        if name in request.headers:
            value = request.headers[name]
            content[name] = value.decode() if isinstance(value, bytes) else value
    if request.method == "PUT" and not query:
        return "PutObject", {**content, "Body": _unchunked(request.body.read())}
    if request.method == "GET" and query.get("list-type") == "2":
        return "ListObjectsV2", content
    if request.method == "GET" and not query:
        return "GetObject", content
    raise Unmodelled(f"S3's {request.method} {request.url}")


def refusal(code: str, message: str, status: int) -> Reply:
    """Return an error as S3 answers it."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Reply(status, body.encode(), {"Content-Type": "application/xml"})


def _unchunked(sent: bytes) -> bytes:
    """Return what an aws-chunked body holds."""
    found = b""
    while (line := sent.split(b"\r\n", 1))[0] != b"0":
        size = int(line[0], 16)
        found += line[1][:size]
        sent = line[1][size + 2 :]
    return found


@cache
def _headers(body: bytes) -> dict[str, str]:
    """Return what S3 says of an object that the SDK wrote."""
    crc = base64.b64encode(zlib.crc32(body).to_bytes(4)).decode()
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return {"ETag": f'"{etag}"', "Content-Length": str(len(body)), "x-amz-checksum-crc32": crc}
