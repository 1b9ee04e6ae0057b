"""Every address that a program and its descendants try to reach, as the kernel is asked for it (by strace)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from matchcast_tools.errors import EnvironmentProblem

CALLS = "connect,sendto,sendmsg,sendmmsg"
DNS = 53
RESOLVER = "systemd-resolved"
_ADDRESS = re.compile(
    r"sin6?_port=htons\((?P<port>\d+)\).*?"
    r'(?:inet_addr\("(?P<four>[^"]+)"\)|inet_pton\(AF_INET6, "(?P<six>[^"]+)")'
)


@dataclass(frozen=True, slots=True)
class Traced:
    """How a program ended, and which addresses it and its descendants tried to reach: host, port, how often."""

    exit_code: int
    output: str
    attempts: Mapping[tuple[str, int], int]

    @property
    def outside(self) -> list[str]:
        """The addresses that are not on this machine, and every name server, which asks others."""
        return sorted(f"{host}:{port}" for host, port in self.attempts if leads_outside(host, port))


def leads_outside(host: str, port: int) -> bool:
    """Return whether an address is one of another machine, or of a name server."""
    if port == DNS:
        return True
    address = ip_address(host)
    return not (getattr(address, "ipv4_mapped", None) or address).is_loopback


def attempts_in(log: str) -> dict[tuple[str, int], int]:
    """Return the internet addresses in a log of strace with the number of calls that name each."""
    found: dict[tuple[str, int], int] = {}
    for match in _ADDRESS.finditer(log):
        address = match["four"] or match["six"], int(match["port"])
        found[address] = found.get(address, 0) + 1
    # Some systems look names up by a socket in the file system.
    asked = log.count('sun_path="/run/systemd/resolve/')
    return found | ({(RESOLVER, DNS): asked} if asked else {})


def trace(command: Sequence[str], environment: Mapping[str, str], folder: Path, seconds: float) -> Traced:
    """Run a program to its end, in a network of its own where that is possible.

    Raises
    ------
    EnvironmentProblem
        If strace is not installed or may not trace.
    """
    if shutil.which("strace") is None:
        raise EnvironmentProblem("strace is not installed; on Debian and Ubuntu: apt install strace")
    with tempfile.NamedTemporaryFile(suffix=".strace") as log:
        strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-s", "0", "-e", f"trace={CALLS}", "-e", "signal=none"]
        done = subprocess.run(
            [*(WALL if has_wall() else []), *strace, "-o", log.name, *command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        traced = Path(log.name).read_text(errors="replace")
    if "ptrace" in done.stdout and done.returncode != 0:
        raise EnvironmentProblem(f"strace may not trace here: {done.stdout.strip()}")
    return Traced(done.returncode, done.stdout, attempts_in(traced))


WALL = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
"""Runs a program in a network with nothing but a loopback interface: what it tries to send arrives nowhere."""


@cache
def has_wall() -> bool:
    """Return whether this user may make such a network."""
    if not {"ip", "unshare"} <= {tool for tool in ("ip", "unshare") if shutil.which(tool)}:
        return False
    return subprocess.run([*WALL, "true"], capture_output=True, check=False).returncode == 0


def bare_environment(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a user, with no variable by which a library would know that it is tested."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {**kept, "HOME": str(home), "LANG": "C.UTF-8", **more}
