"""Callbacks over HTTPS: one request to one checked IP address, within a time that counts for everything.

A name is resolved once. If any of its addresses is not admitted, nothing is called, so a name that alternates between
public and private addresses gains nothing; and the connection goes to an address that was checked, not to the name.
Proxies of the environment, cookies and redirects do not exist here.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from http.client import HTTPException
from typing import Any

from matchcast.adapters.http_messages import read_answer, request_bytes
from matchcast.adapters.timed_sockets import Deadline, TimedReader, send_all
from matchcast.errors import AddressRefused, DeliveryFailed
from matchcast.webhooks.addresses import Address, check_address
from matchcast.webhooks.ports import Answer

MOST_ADDRESSES = 4
"""So many addresses of a name are tried, one after the other."""
_CONNECT_SECONDS = 5.0
"""How long an address may take to answer while there is another one."""
_MOST_LOOKUPS = 32
"""Lookups of names at once; one that hangs keeps its thread until the resolver gives up."""

Resolve = Callable[..., Sequence[Any]]
"""As `socket.getaddrinfo`."""


def verifying() -> ssl.SSLContext:
    """Return how a receiver's certificate is verified: for its name, by the authorities that the system trusts."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


class HttpsPoster:
    """A `Poster` on sockets.

    Parameters
    ----------
    loopback
        Whether loopback hosts may be called too, also by plain HTTP and on any port: for a laptop.
    context
        What verifies certificates; default: `verifying()`.
    resolve
        What resolves names.
    """

    def __init__(
        self, *, loopback: bool = False, context: ssl.SSLContext | None = None, resolve: Resolve = socket.getaddrinfo
    ) -> None:
        self._loopback = loopback
        self._context = context or verifying()
        self._resolve = resolve
        self._free_lookups = threading.BoundedSemaphore(_MOST_LOOKUPS)

    def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Answer:
        """Return the answer to one request; at most 64 KB of it are read, and its body is forgotten.

        An answer counts when its status and headers are there. A body that breaks off changes nothing, but one that
        does not end in time does: a receiver that still writes may still work on the request.

        Raises
        ------
        AddressRefused
            If the address may not be called, or its name leads inside.
        DeliveryFailed
            If there is no answer; `cause` says why.
        """
        address = check_address(url, loopback=self._loopback)
        request = request_bytes(address, headers, body)
        deadline = Deadline(seconds)
        with _causes(), self._connected(address, deadline) as connection:
            send_all(connection, request, deadline)
            return read_answer(TimedReader(connection, deadline))

    @contextmanager
    def _connected(self, address: Address, deadline: Deadline) -> Iterator[socket.socket]:
        """Yield a connection to the host, by TLS unless the address says otherwise."""
        with _connect(self._admitted(address, deadline), address, deadline) as plain:
            if address.scheme == "http":
                yield plain
                return
            plain.settimeout(deadline.left())
            # The handshake is part of it, with the check of the certificate.
            with self._context.wrap_socket(plain, server_hostname=address.host) as secured:
                yield secured

    def _admitted(self, address: Address, deadline: Deadline) -> Sequence[str]:
        """Return the IP addresses of the host if all of them may be called."""
        found = self._addresses(address, deadline)
        if not all(address.admits(each) for each in found):
            raise AddressRefused(f"The host {address.host} leads to an address that is not public.")
        return found[:MOST_ADDRESSES]

    def _addresses(self, address: Address, deadline: Deadline) -> Sequence[str]:
        with suppress(ValueError):
            return [str(ipaddress.ip_address(address.host))]
        if not self._free_lookups.acquire(blocking=False):
            raise DeliveryFailed("Too many names are being looked up.", "dns")
        answer: Future[Sequence[Any]] = Future()

        def look_up() -> None:
            try:
                answer.set_result(self._resolve(address.host, address.port, type=socket.SOCK_STREAM))
            except Exception as error:  # noqa: BLE001 - it is raised where the answer is waited for
                answer.set_exception(error)
            finally:
                self._free_lookups.release()

        threading.Thread(target=look_up, name="lookup of a receiver", daemon=True).start()
        found = list(dict.fromkeys(str(each[4][0]) for each in answer.result(timeout=deadline.left())))
        if not found:
            raise DeliveryFailed("The name of the receiver has no address.", "dns")
        return found


def _connect(addresses: Sequence[str], address: Address, deadline: Deadline) -> socket.socket:
    """Return a connection to the first address that answers."""
    *others, last = addresses
    for each in others:
        with suppress(OSError):
            return _connect_to(each, address, min(deadline.left(), _CONNECT_SECONDS))
    return _connect_to(last, address, deadline.left())


def _connect_to(ip_address: str, address: Address, seconds: float) -> socket.socket:
    checked = ipaddress.ip_address(ip_address)
    connection = socket.socket(socket.AF_INET6 if checked.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect((ip_address, address.port))
        _check_peer(connection, checked)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_peer(connection: socket.socket, checked: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if ipaddress.ip_address(connection.getpeername()[0]) != checked:
        raise AddressRefused("The connection leads to another address than the one that was checked.")


@contextmanager
def _causes() -> Iterator[None]:
    """Raise what goes wrong with a connection as DeliveryFailed."""
    try:
        yield
    except TimeoutError as error:
        raise DeliveryFailed("The receiver did not answer in time.", "timeout") from error
    except (socket.gaierror, UnicodeError) as error:
        raise DeliveryFailed("The name of the receiver cannot be resolved.", "dns") from error
    except ssl.SSLError as error:
        raise DeliveryFailed("There is no trusted TLS connection to the receiver.", "tls") from error
    except OSError as error:
        raise DeliveryFailed("There is no connection to the receiver, or it broke off.", "connection") from error
    except HTTPException as error:
        raise DeliveryFailed("The receiver's answer is not HTTP, or too long.", "protocol") from error
