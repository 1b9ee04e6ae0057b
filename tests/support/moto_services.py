"""Services of AWS on loopback, by moto, as empty at their start as at their end."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer


@contextmanager
def services() -> Iterator[int]:
    """Start the services, and return their port; all servers of a process share what they keep, so it is removed."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = int(server.get_host_and_port()[1])
    _reset(port)
    try:
        yield port
    finally:
        _reset(port)
        server.stop()


def _reset(port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/reset", data=b""):
        pass
