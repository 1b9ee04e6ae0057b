"""Frames between a function and the process of a model: a JSON object, then bytes, each with its length before it.

Nothing is unpickled on either side: what a model's process sends is data, whatever its code does.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from socket import socket
from typing import Any

_LENGTHS = struct.Struct(">IQ")
_CHUNK_BYTES = 1 << 20


class FramesEnded(Exception):
    """The other side has closed its end."""


def wait_forever() -> None:
    """Go on waiting for the other side."""


def send(
    connection: socket, head: dict[str, Any], body: bytes = b"", still_waiting: Callable[[], None] = wait_forever
) -> None:
    """Send one frame; `still_waiting` is called before each piece, and may raise.

    Raises
    ------
    OSError
        If the other side is gone.
    """
    encoded = json.dumps(head).encode()
    _write(connection, _LENGTHS.pack(len(encoded), len(body)) + encoded, still_waiting)
    # Nothing more where there is no body: the other side may have read all, and be gone.
    if body:
        _write(connection, body, still_waiting)


def receive(
    connection: socket, still_waiting: Callable[[], None] = wait_forever, most_bytes: int | None = None
) -> tuple[dict[str, Any], bytes]:
    """Return one frame of at most so many bytes; `still_waiting` is called before each piece, and may raise.

    Raises
    ------
    FramesEnded
        If the other side is gone.
    ValueError
        If what it sends is no frame, or a longer one; no more of that is read.
    """
    head_length, body_length = _LENGTHS.unpack(_read(connection, _LENGTHS.size, still_waiting))
    if most_bytes is not None and head_length + body_length > most_bytes:
        raise ValueError(f"A frame of {head_length + body_length} bytes is too long.")
    try:
        head = json.loads(_read(connection, head_length, still_waiting))
    except RecursionError as error:
        raise ValueError("The head of a frame is nested too deep.") from error
    if not isinstance(head, dict):
        raise ValueError("The head of a frame is no JSON object.")  # noqa: TRY004 - it is about data
    return head, bytes(_read(connection, body_length, still_waiting))


def _write(connection: socket, content: bytes, still_waiting: Callable[[], None]) -> None:
    left = memoryview(content)
    while left:
        still_waiting()
        with suppress(TimeoutError):
            left = left[connection.send(left[:_CHUNK_BYTES]) :]


def _read(connection: socket, count: int, still_waiting: Callable[[], None]) -> bytearray:
    found = bytearray()
    while len(found) < count:
        still_waiting()
        try:
            part = connection.recv(min(count - len(found), _CHUNK_BYTES))
        except TimeoutError:
            continue
        except ConnectionError as error:
            raise FramesEnded from error
        if not part:
            raise FramesEnded
        found += part
    return found
