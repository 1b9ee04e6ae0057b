"""A small S3: one bucket with versions, and what the product asks of it. Whoever asks sees every write before.

`test_faithful.py` asks moto the same questions.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

from tests.faults.expressions import Unmodelled
from tests.faults.scheduler import Scheduler
from tests.faults.transactions import ServiceError
from tests.support.tasks import NOW

_SPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_PAGE = 1000


@dataclass(frozen=True)
class Stored:
    """An object, and when it was written."""

    body: bytes
    written_at: float = 0.0
    version_id: str = "null"


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
        self.least_piece = 5 * 1024 * 1024
        """Bytes that all pieces of an upload but the last one have at least."""
        self.uploads: dict[str, dict[int, bytes]] = {}
        """The uploads in pieces that have not been ended."""
        self._versions: dict[tuple[str, str], Stored] = {}
        self._numbers = itertools.count(1)
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
            case "HeadObject":
                return self._head(content)
            case "PutObject":
                return self._put(content)
            case "ListObjectsV2":
                return self._list(content)
            case "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" | "AbortMultipartUpload":
                return self._piecewise(operation, content)
        raise Unmodelled(f"S3's {operation}")

    def put(self, key: str, body: bytes) -> None:
        """Write an object."""
        stored = Stored(body, self._scheduler.now, f"version-{next(self._numbers)}")
        self.stored[key] = self._versions[key, stored.version_id] = stored
        self.on_write(key)

    def _get(self, asked: Any) -> Reply:
        version_id = asked.get("versionId")
        stored = self.stored.get(asked["Key"]) if version_id is None else self._versions.get((asked["Key"], version_id))
        if stored is None:
            code = "NoSuchKey" if version_id is None else "NoSuchVersion"
            raise ServiceError(code, "The specified key does not exist.", 404)
        headers = {**_headers(stored.body), "x-amz-version-id": stored.version_id}
        if asked.get("If-None-Match") == headers["ETag"]:
            return Reply(304, headers={"ETag": headers["ETag"]})
        if "Range" in asked:
            return _ranged(stored.body, asked["Range"], headers)
        return Reply(200, stored.body, headers)

    def _head(self, asked: Any) -> Reply:
        try:
            return replace(self._get(asked), body=b"")
        except ServiceError as refused:
            return Reply(refused.status)

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
        written = {"ETag": _headers(asked["Body"])["ETag"], "x-amz-version-id": self.stored[asked["Key"]].version_id}
        return Reply(headers=written)

    def _piecewise(self, operation: str, asked: Any) -> Reply:
        if operation == "CreateMultipartUpload":
            upload_id = f"upload-{next(self._numbers)}"
            self.uploads[upload_id] = {}
            return _xml(
                f"<InitiateMultipartUploadResult><UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>"
            )
        pieces = self.uploads.get(asked["uploadId"])
        if pieces is None:
            raise ServiceError("NoSuchUpload", "The specified multipart upload does not exist.", 404)
        if operation == "UploadPart":
            pieces[int(asked["partNumber"])] = asked["Body"]
            return Reply(headers={"ETag": _headers(asked["Body"])["ETag"]})
        if operation == "CompleteMultipartUpload":
            named = [(int(number), unescape(etag)) for etag, number in _named_pieces(asked["Body"])]
            if any(_headers(pieces.get(number, b"?"))["ETag"] != etag for number, etag in named):
                raise ServiceError("InvalidPart", "One or more of the specified parts could not be found.", 400)
            if any(len(pieces[number]) < self.least_piece for number, _ in named[:-1]):
                raise ServiceError(
                    "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", 400
                )
            self.put(asked["Key"], b"".join(pieces[number] for number, _ in named))
        del self.uploads[asked["uploadId"]]
        is_done = operation == "CompleteMultipartUpload"
        return _xml("<CompleteMultipartUploadResult></CompleteMultipartUploadResult>") if is_done else Reply(204)

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
    for name in ("If-None-Match", "If-Match", "Range"):
        if name in request.headers:
            value = request.headers[name]
            content[name] = value.decode() if isinstance(value, bytes) else value
    if request.method == "PUT":
        content["Body"] = _unchunked(request.body.read())
    if request.method == "POST" and "uploadId" in query:
        content["Body"] = bytes(request.body).decode()
    if query.get("list-type") == "2":
        return "ListObjectsV2", content
    named = frozenset(query) | ({"uploads"} if url.query == "uploads" else set())
    for method, names, operation in _REQUESTS:
        if request.method == method and named == names:
            return operation, content
    raise Unmodelled(f"S3's {request.method} {request.url}")


_REQUESTS: tuple[tuple[str, frozenset[str], str], ...] = (
    ("PUT", frozenset(), "PutObject"),
    ("PUT", frozenset({"partNumber", "uploadId"}), "UploadPart"),
    ("POST", frozenset({"uploads"}), "CreateMultipartUpload"),
    ("POST", frozenset({"uploadId"}), "CompleteMultipartUpload"),
    ("DELETE", frozenset({"uploadId"}), "AbortMultipartUpload"),
    ("HEAD", frozenset(), "HeadObject"),
    ("HEAD", frozenset({"versionId"}), "HeadObject"),
    ("GET", frozenset(), "GetObject"),
    ("GET", frozenset({"versionId"}), "GetObject"),
)
"""Method, names of the query, and the operation that they are."""


def refusal(code: str, message: str, status: int) -> Reply:
    """Return an error as S3 answers it."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Reply(status, body.encode(), {"Content-Type": "application/xml"})


def _xml(body: str) -> Reply:
    return Reply(200, body.encode(), {"Content-Type": "application/xml"})


def _ranged(body: bytes, wanted: str, headers: dict[str, str]) -> Reply:
    """Return a range of an object; the checksum of all of it is not sent."""
    start, end = (int(each) for each in wanted.removeprefix("bytes=").split("-"))
    if start >= len(body):
        raise ServiceError("InvalidRange", "The requested range is not satisfiable", 416)
    some = body[start : end + 1]
    known = {name: value for name, value in headers.items() if not name.startswith("x-amz-checksum")}
    where = {"Content-Length": str(len(some)), "Content-Range": f"bytes {start}-{start + len(some) - 1}/{len(body)}"}
    return Reply(206, some, {**known, **where})


def _named_pieces(body: str) -> list[tuple[str, str]]:
    """Return ETag and number of each piece that ends an upload."""
    found = [
        (re.search(r"<ETag>(.*?)</ETag>", each), re.search(r"<PartNumber>(\d+)<", each))
        for each in body.split("</Part>")
    ]
    return [(etag[1], number[1]) for etag, number in found if etag and number]


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
