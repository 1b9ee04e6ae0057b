"""The watch over the connections of the shared stack sees what there is to see."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.connections import PROC, ConnectionWatch

pytestmark = pytest.mark.skipif(not (PROC / "net").exists(), reason="sockets are read from /proc")
VARIABLE = "MATCHCAST_WATCHED"
PORT = 47110
CONNECT = f"""
import socket, sys
family, kind, host = getattr(socket, sys.argv[1]), getattr(socket, sys.argv[2]), sys.argv[3]
if kind == socket.SOCK_STREAM:
    server = socket.create_server((host, {PORT}), family=family)
peer = socket.socket(family, kind)
peer.connect((host, {PORT}))
print("connected", flush=True)
sys.stdin.read()
"""


@contextmanager
def connected(value: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program that is connected to a port, started by a shell that is not."""
    command = ["sh", "-c", '"$@"; exit', "sh", sys.executable, "-c", CONNECT, *arguments]
    process = subprocess.Popen(
        command, env={**os.environ, VARIABLE: value}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "connected\n"
    yield process
    process.communicate()


@pytest.mark.parametrize(
    "arguments",
    [
        ("AF_INET", "SOCK_STREAM", "127.0.0.1"),
        ("AF_INET", "SOCK_DGRAM", "127.0.0.2"),
        ("AF_INET6", "SOCK_STREAM", "::1"),
    ],
)
def test_a_connection_of_a_process_of_the_stack_is_seen_whoever_started_it(arguments: tuple[str, ...]) -> None:
    # GIVEN a process of the stack, and one of another stack, connected to a port that is not the engine's
    watch = ConnectionWatch(VARIABLE, "this")
    # WHEN
    with connected("this", *arguments):
        watch.look()
    # THEN
    assert {(str(one.host), one.port) for one in watch.seen} >= {(arguments[2], PORT)}
    assert not any(one.belongs_to(PORT + 1) for one in watch.seen)
    assert all(one.belongs_to(PORT) for one in watch.seen)


def test_connections_of_other_processes_are_not_the_stacks() -> None:
    watch = ConnectionWatch(VARIABLE, "this")
    with connected("another", "AF_INET", "SOCK_STREAM", "127.0.0.1"):
        watch.look()
    assert not watch.seen
    assert not watch.processes
