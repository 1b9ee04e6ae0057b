"""Connections of SDK calls that can be cut from another thread, so that a call which nobody waits for ends.

The SDK's timeouts are for each packet: an answer that comes byte by byte would hold its thread and its connection for
as long as it drips. So the SDK's connections tell the call that uses them which socket they have. If a later SDK does
not make its connections of these classes, abandoned calls end later; nothing else depends on it.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSHTTPSConnection, AWSHTTPSConnectionPool

running: ContextVar[Call | None] = ContextVar("call of the SDK in this thread", default=None)


class Call:
    """One call, with its attempts; each uses a connection, one after the other."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._is_abandoned = False

    def uses(self, used: socket.socket | None) -> None:
        """Remember the socket of the call's connection; None when the call is over."""
        self._socket = used
        if self._is_abandoned:
            # It was abandoned while it connected.
            self._cut()

    def abandon(self) -> None:
        """Cut the connection, now and whenever the call has one: whoever reads from it finds its end."""
        self._is_abandoned = True
        self._cut()

    def _cut(self) -> None:
        used = self._socket
        if used is not None:
            with suppress(OSError):
                # Not the method of a TLS socket: that takes from the reading thread what it reads with.
                socket.socket.shutdown(used, socket.SHUT_RDWR)


class _Telling:
    """A connection that tells the call of its thread which socket it uses."""

    sock: socket.socket | None

    def send(self, data: Any) -> None:
        super().send(data)  # type: ignore[misc]
        if call := running.get():
            call.uses(self.sock)


class _HTTP(_Telling, AWSHTTPConnection):  # type: ignore[misc]
    pass


class _HTTPS(_Telling, AWSHTTPSConnection):  # type: ignore[misc]
    pass


AWSHTTPConnectionPool.ConnectionCls = _HTTP
AWSHTTPSConnectionPool.ConnectionCls = _HTTPS
