"""Which sockets the processes of a laptop stack have, read from the kernel several times a second."""

from __future__ import annotations

import os
import re
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

PROC = Path("/proc")
EVERY_SECONDS = 0.1
TABLES = ("tcp", "tcp6", "udp", "udp6")
_SOCKET = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Connection:
    """A socket with a peer."""

    host: IPv4Address | IPv6Address
    port: int
    local_port: int

    def belongs_to(self, port: int) -> bool:
        """Return whether both ends are on this machine, and one of them is the server on `port`."""
        host = getattr(self.host, "ipv4_mapped", None) or self.host
        return bool(host.is_loopback) and port in {self.port, self.local_port}


class ConnectionWatch:
    """Looks at the sockets of every process that has a variable with a value in its environment.

    Parameters
    ----------
    name, value
        The variable. Processes inherit it, so that nobody has to know which there are.

    Attributes
    ----------
    seen
        All connections so far.
    processes
        All processes that were looked at so far.
    """

    def __init__(self, name: str, value: str) -> None:
        self.seen: set[Connection] = set()
        self.processes: set[int] = set()
        self._mark = f"\0{name}={value}\0".encode()
        self._others: dict[int, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look once more, and end."""
        self._ended.set()
        self._thread.join()

    def look(self) -> None:
        """Look at the sockets that there are now."""
        members = [pid for pid in _processes() if self._is_watched(pid)]
        self.processes.update(members)
        inodes = {inode for pid in members for inode in _sockets(pid)}
        self.seen.update(connection for inode, connection in _connections() if inode in inodes)

    def _run(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            self.look()
        self.look()

    def _is_watched(self, pid: int) -> bool:
        """Return whether a process is marked; one that was not and then runs another program is asked again."""
        try:
            started = (PROC / str(pid)).stat().st_ctime_ns
            if pid not in self.processes and self._others.get(pid) == started:
                return False
            environment = b"\0" + (PROC / str(pid) / "environ").read_bytes()
        except OSError:
            return False
        if self._mark in environment:
            return True
        if len(environment) > 1:  # between fork and exec, and in its last moments, a process shows none
            self._others[pid] = started
        return False


def _processes() -> Iterator[int]:
    return (int(entry) for entry in os.listdir(PROC) if entry.isdigit())  # noqa: PTH208 - many times a second


def _sockets(pid: int) -> Iterator[str]:
    """Yield the inodes of the sockets that a process has open."""
    folder = f"/proc/{pid}/fd"
    try:
        descriptors = os.listdir(folder)  # noqa: PTH208
    except OSError:
        return
    for descriptor in descriptors:
        try:
            found = _SOCKET.fullmatch(os.readlink(f"{folder}/{descriptor}"))  # noqa: PTH115
        except OSError:
            continue
        if found:
            yield found[1]


def _connections() -> Iterator[tuple[str, Connection]]:
    """Yield the inode of each socket of this machine that has a peer."""
    for table in TABLES:
        path = PROC / "net" / table
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            _, local, remote, _, *rest = line.split()
            host, port = _address(remote)
            if port:
                yield rest[5], Connection(host, port, _address(local)[1])


def _address(text: str) -> tuple[IPv4Address | IPv6Address, int]:
    """Parse an address of /proc/net: words in the machine's byte order, then the port, all in hexadecimal."""
    host, _, port = text.partition(":")
    words = [int(host[start : start + 8], 16) for start in range(0, len(host), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    return (IPv4Address(packed) if len(words) == 1 else IPv6Address(packed)), int(port, 16)
