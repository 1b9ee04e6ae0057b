"""The port and the addresses of the laptop stack: which it gets, and that they can be used."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from matchcast_tools.errors import EnvironmentProblem


def free_port() -> int:
    """Return an unused loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def choose_port(remembered: Path, wanted: int | None, *, new: bool) -> int:
    """Return the wanted port, else that which a file remembers, else a free one.

    Raises
    ------
    EnvironmentProblem
        If it cannot be used; a new stack takes another one in place of that of the last start.
    """
    if wanted is not None:
        return require_free(wanted)
    try:
        before = int(remembered.read_text())
        return require_free(before)
    except (FileNotFoundError, ValueError):
        return free_port()
    except EnvironmentProblem:
        if new:
            return free_port()
        raise


def require_addresses(addresses: Sequence[str], port: int) -> list[str]:
    """Return these addresses and names as IPv4 addresses, each once, if the engine can listen on all of them.

    Raises
    ------
    EnvironmentProblem
        If one is not an address of this machine, or another process listens there.
    """
    numbers = []
    for address in addresses:
        try:
            # As the engine binds, which takes addresses of IPv4 and names.
            found = socket.getaddrinfo(address, port, socket.AF_INET, socket.SOCK_STREAM)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(found[0][4])
            numbers.append(str(found[0][4][0]))
        except OSError as error:
            raise EnvironmentProblem(
                f"--bind {address}: the engine cannot listen on port {port} of it ({error.strerror}). Give an IPv4 "
                "address of this machine, as `ip -4 address` shows them."
            ) from error
        except UnicodeError as error:
            raise EnvironmentProblem(f"--bind {address}: this is no address or name of a machine.") from error
    return list(dict.fromkeys(numbers))


def require_free(port: int) -> int:
    """Return the port if it can be bound.

    Raises
    ------
    EnvironmentProblem
        If another process listens there, or it may not be used.
    """
    with socket.socket() as probe:
        # As the engine binds: a port with closing connections is free, a port with a listener is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise EnvironmentProblem(
                f"Port {port} cannot be used ({error.strerror}). End what listens there, or give another one with "
                "--port: the stack moves there with all that it holds."
            ) from error
    return port
