"""Frames: whole, in pieces, or broken off."""

from __future__ import annotations

import socket
import struct
import threading

import pytest

from matchcast.adapters.model_frames import FramesEnded, receive, send


def test_a_connection_that_ends_inside_of_a_frame() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"\0\0")
        theirs.shutdown(socket.SHUT_RDWR)
        with pytest.raises(FramesEnded):
            receive(ours)


def test_a_frame_that_comes_in_pieces_with_pauses() -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(0.01)
    waits: list[int] = []
    with ours, theirs:
        later = threading.Timer(0.1, send, [theirs, {"a": 1}, b"body"])
        later.start()
        assert receive(ours, lambda: waits.append(1)) == ({"a": 1}, b"body")
        later.join()
    assert waits


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack(">IQ", 2, 99) + b"{}" + bytes(99),
        struct.pack(">IQ", 99, 2) + b"{}".ljust(101),
        struct.pack(">IQ", 100_001, 0) + b"[" * 100_000 + b" ",
        b"words in place of lengths",
    ],
)
def test_a_frame_that_is_too_long_or_no_frame_is_not_waited_for(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(ValueError, match=r"too (long|deep)"):
            receive(ours, most_bytes=None if b"[[" in sent else 100)
