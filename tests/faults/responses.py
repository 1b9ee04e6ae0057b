"""HTTP responses as an HTTP session hands them to botocore, whole ones and ones that break off."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from botocore.awsrequest import AWSResponse
from urllib3 import exceptions as streams


class Raw(io.BytesIO):
    """A stream that comes whole."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        """Yield all of it."""
        yield self.read()


class _Headers(dict[str, str]):
    """Headers by their names in whatever case, as botocore's are, and faster: S3's parser looks for forty of them."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        """Return a header."""
        return super().get(name.lower(), default)


_NO_HEADERS: Any = {}


class Broken(Raw):
    """The stream of an object of which only the first half comes, and then one of these ends."""

    def __init__(self, body: bytes, way: int, hang: Callable[[], None]) -> None:
        super().__init__(body[: len(body) // 2])
        self._way = way
        self._hang = hang

    def read(self, size: int | None = -1, /) -> bytes:
        """Return what came, or fail as urllib3 does."""
        pool: Any = None
        match self._way:
            case 1:
                self._hang()
                raise streams.ReadTimeoutError(pool, "", "Read timed out.")
            case 2:
                raise streams.ProtocolError("Connection broken: ConnectionResetError(104)")
            case 3:
                raise streams.SSLError("decryption failed or bad record mac")
        return super().read(size)


def response(request: Any, status: int, body: bytes, headers: dict[str, str] | None = None) -> AWSResponse:
    """Return a whole answer."""
    return answer(request, status, Raw(body), headers or {})


def answer(request: Any, status: int, raw: Raw, headers: dict[str, str]) -> AWSResponse:
    """Return an answer whose body comes as a stream gives it."""
    found: Any = AWSResponse(request.url, status, _NO_HEADERS, raw)
    found.headers = _Headers({name.lower(): value for name, value in headers.items()})
    made: AWSResponse = found
    return made


def error(request: Any, code: str, message: str, status: int, **details: Any) -> AWSResponse:
    """Return an error of a service that speaks JSON."""
    body = orjson.dumps({"__type": f"com.amazonaws#{code}", "message": message, **details})
    return response(request, status, body, {"x-amzn-errortype": code})
