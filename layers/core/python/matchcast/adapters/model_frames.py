"""Frames between a function and the process of a model: a JSON object, then bytes, each with its length before it.

Nothing is unpickled on either side: what a model's process sends is data, whatever its code does.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from socket import socket
from typing import Any

_LENGTHS = struct.Struct(">IQ")
_CHUNK_BYTES = 1 << 20


class FramesEnded(Exception):
    """The other side has closed its end."""


def wait_forever() -> None:
    """Go on waiting for the other side (what `receive` calls whenever a timeout of the socket passes)."""


def send(connection: socket, head: dict[str, Any], body: bytes = b"") -> None:
    """Send one frame.

    Raises
    ------
    OSError
        If the other side is gone, or does not read within the socket's timeout.
    """
    encoded = json.dumps(head).encode()
    connection.sendall(_LENGTHS.pack(len(encoded), len(body)) + encoded)
    # Nothing more where there is no body: the other side may have read all, and be gone.
    if body:
        connection.sendall(body)


def receive(connection: socket, still_waiting: Callable[[], None] = wait_forever) -> tuple[dict[str, Any], bytes]:
    """Return one frame; `still_waiting` is called whenever the socket's timeout passes, and may raise.

    Raises
    ------
    FramesEnded
        If the other side is gone.
    """
    head, body = _LENGTHS.unpack(_read(connection, _LENGTHS.size, still_waiting))
    return json.loads(_read(connection, head, still_waiting)), bytes(_read(connection, body, still_waiting))


def _read(connection: socket, count: int, still_waiting: Callable[[], None]) -> bytearray:
    found = bytearray()
    while len(found) < count:
        try:
            part = connection.recv(min(count - len(found), _CHUNK_BYTES))
        except TimeoutError:
            still_waiting()
            continue
        except ConnectionError as error:
            raise FramesEnded from error
        if not part:
            raise FramesEnded
        found += part
    return found
