"""The request of a callback as bytes, and its answer read from a socket."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import Any, cast

from matchcast import __version__
from matchcast.adapters.timed_sockets import MOST_BYTES, TimedReader
from matchcast.webhooks.addresses import HTTPS_PORT, Address
from matchcast.webhooks.ports import Answer

_NAME = re.compile(r"[A-Za-z0-9-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")
_OWN = frozenset({"connection", "content-length", "host", "transfer-encoding", "user-agent"})
_SECONDS = re.compile(r"[0-9]{1,9}")
_SWITCHING = 101


def request_bytes(address: Address, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return a POST of JSON to an address, or raise ValueError for a header that is none."""
    for name, value in headers.items():
        if name.lower() in _OWN or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"A callback cannot have the header {name!r} with this value.")
    all_headers = {
        "host": _host(address),
        "user-agent": f"matchcast/{__version__}",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        **{name.lower(): value for name, value in headers.items()},
    }
    lines = [f"POST {address.target} HTTP/1.1", *(f"{name}: {value}" for name, value in all_headers.items()), "", ""]
    return "\r\n".join(lines).encode("ascii") + body


def read_answer(received: TimedReader) -> Answer:
    """Return status and `Retry-After` of an answer; what is behind its headers is read, as far as it is, and forgotten.

    Raises
    ------
    HTTPException
        If this is no answer, or its headers do not end.
    TimeoutError
        If it does not end in time, the body included.
    """
    stream: io.BufferedReader[Any] = io.BufferedReader(received)
    # A response that nobody keeps closes the stream.
    interim: list[HTTPResponse] = []
    while True:
        response = HTTPResponse(cast("Any", _Received(stream)), method="POST")
        response.begin()
        if received.at_end:
            raise IncompleteRead(b"")
        if response.status >= 200 or response.status == _SWITCHING:
            break
        interim.append(response)
    # Chunks of a negative length, or of one that fits nowhere, are no HTTPException.
    with suppress(HTTPException, ConnectionError, ValueError, OverflowError):
        response.read(MOST_BYTES)
    return Answer(response.status, _retry_after(response.headers.get("Retry-After", "")))


class _Received:
    """What HTTPResponse takes for a socket."""

    def __init__(self, stream: io.BufferedReader[Any]) -> None:
        self._stream = stream

    def makefile(self, _mode: str) -> io.BufferedReader[Any]:
        return self._stream


def _host(address: Address) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    return host if address.port == {"https": HTTPS_PORT, "http": 80}[address.scheme] else f"{host}:{address.port}"


def _retry_after(value: str) -> float | None:
    """Return the seconds that a receiver asks for, as a number or as a date (RFC 9110); None for anything else."""
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, seconds)
