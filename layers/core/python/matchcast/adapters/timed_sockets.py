"""Sockets whose operations all end by one moment, however slowly the other side reads, writes or drips."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

MOST_BYTES = 65_536
"""Of an answer, with its headers."""
_SEND_BYTES = 16_384


class Deadline:
    """The moment by which everything has to be over."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._end = monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left, or raise TimeoutError if there are none."""
        seconds = self._end - self._monotonic()
        if seconds <= 0:
            raise TimeoutError("The time is over.")
        return seconds


class TooLong(HTTPException):
    """There is more to read than will be read."""


class TimedReader(io.RawIOBase):
    """What a socket receives, until a deadline and up to `MOST_BYTES`.

    `at_end` tells whether the other side has ended the connection.
    """

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline
        self._bytes_left = MOST_BYTES
        self.at_end = False

    def readable(self) -> bool:
        """Return True: it is for reading alone."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Fill a buffer with what there is, waiting for the first byte."""
        if self._bytes_left <= 0:
            raise TooLong(f"The answer has more than {MOST_BYTES} bytes.")
        self._connection.settimeout(self._deadline.left())
        received = self._connection.recv_into(memoryview(buffer)[: self._bytes_left])
        self._bytes_left -= received
        self.at_end = received == 0
        return received


def send_all(connection: socket.socket, content: bytes, deadline: Deadline) -> None:
    """Send content; a socket's own `sendall` would begin its timeout anew with each piece that TLS makes of it."""
    rest = memoryview(content)
    while rest:
        connection.settimeout(deadline.left())
        rest = rest[connection.send(rest[:_SEND_BYTES]) :]
