"""Callback addresses: what may be called at all, by form, by name and by IP address.

Nothing is repaired: an address that some client would read differently (digits of other scripts, octal numbers, white
space, a backslash) is refused, so that what was checked is what is called. Names are resolved when they are called;
whoever does that asks `Address.admits` about each address that the name has.

Sources: IANA's registries of special-purpose addresses (IPv4, IPv6) and of special-use domain names; RFC 3986 for the
form, RFC 1123 for names.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Never

from matchcast.echo import quoted
from matchcast.errors import AddressRefused

LONGEST_URL = 2048
"""Characters."""
HTTPS_PORT = 443

_FOREIGN = re.compile(r"[^A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%#-]")
"""What no address may hold (RFC 3986): everything else has to be percent-encoded."""
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LABEL = re.compile(r"[a-z0-9-]{1,63}")
_LONGEST_NAME = 253

_INSIDE_NAMES = frozenset(
    {"alt", "arpa", "corp", "example", "home", "internal", "intranet", "invalid", "lan", "local", "localdomain"}
    | {"localhost", "mail", "onion", "private", "test"}
)
"""Endings that no public name has: reserved by RFC 6761, 6762, 7686, 8375 and 9476, or by ICANN for private use."""

_INSIDE_V4 = tuple(
    ipaddress.IPv4Network(each)
    for each in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers (CGNAT)
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, with the metadata of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, with broadcast
    )
)
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
"""Outside of it nothing is public: loopback, IPv4 inside of IPv6, NAT64, unique local, link-local, multicast, ..."""
_INSIDE_V6 = tuple(
    ipaddress.IPv6Network(each)
    for each in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID, AMT, AS112
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)


@dataclass(frozen=True, slots=True)
class Address:
    """A callback address that may be called, taken apart.

    `host` is a name in lower case, or an IP address without brackets; `target` is path and query.
    """

    scheme: str
    host: str
    port: int
    target: str

    def admits(self, address: str) -> bool:
        """Return whether the call may go to this IP address of the host."""
        return _is_loopback(address) if _names_loopback(self.host) else is_public(address)


def check_address(url: str, *, loopback: bool = False) -> Address:
    """Take a callback address apart.

    Parameters
    ----------
    url
        What the client gave.
    loopback
        Admit loopback hosts too (`localhost`, 127.0.0.0/8, ::1), by http or https and on any port.

    Raises
    ------
    AddressRefused
        If it may not be called; its detail says why, and what to do about it.
    """
    if len(url) > LONGEST_URL:
        raise AddressRefused(f"The address has {len(url)} characters; it may have {LONGEST_URL}.")
    if found := _FOREIGN.search(url):
        _refuse(url, f"holds the character {found[0]!a}; percent-encode it, and write a host name as punycode")
    if _BROKEN_ESCAPE.search(url):
        _refuse(url, "has a % that no two hexadecimal digits follow; write %25 for the character itself")
    if "#" in url:
        _refuse(url, "has a fragment (#), which no receiver would see; leave it out")
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in ("https", "http"):
        _refuse(url, "does not begin with https://")
    end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    authority, target = rest[:end], rest[end:]
    host, port_text = _host_and_port(url, authority)
    is_loopback = loopback and _names_loopback(host)
    if not is_loopback:
        _check_host(url, host)
    if scheme != "https" and not is_loopback:
        _refuse(url, "does not begin with https://")
    port = int(port_text) if port_text else HTTPS_PORT if scheme == "https" else 80
    if port > 65535 or (port != HTTPS_PORT and not is_loopback):
        _refuse(url, f"has the port {port_text}; only {HTTPS_PORT} may be called")
    return Address(scheme, host, port, target if target.startswith("/") else f"/{target}")


def is_public(address: str) -> bool:
    """Return whether a text is an IP address that every network may reach; False also for one with a zone."""
    parsed = _parsed(address)
    if isinstance(parsed, ipaddress.IPv4Address):
        return not any(parsed in network for network in _INSIDE_V4)
    return parsed is not None and parsed in _PUBLIC_V6 and not any(parsed in network for network in _INSIDE_V6)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return None if "%" in address else ipaddress.ip_address(address)
    except ValueError:
        return None


def _is_loopback(address: str) -> bool:
    parsed = _parsed(address)
    return parsed is not None and parsed.is_loopback


def _names_loopback(host: str) -> bool:
    return host == "localhost" or _is_loopback(host)


def _host_and_port(url: str, authority: str) -> tuple[str, str]:
    """Return the host in lower case, without brackets, and the port as it is written ("": none)."""
    if "@" in authority:
        raise AddressRefused("The address has a user or password before its host; leave them out.")
    if "%" in authority:
        _refuse(url, "has a % in its host; write the host without percent-encoding and without a zone")
    if authority.startswith("["):
        host, bracket, rest = authority[1:].partition("]")
        parsed = _parsed(host)
        if not bracket or not isinstance(parsed, ipaddress.IPv6Address) or not (not rest or rest.startswith(":")):
            _refuse(url, "has brackets without an IPv6 address in them")
        host, colon, port = str(parsed), rest[:1], rest[1:]
    else:
        host, colon, port = authority.partition(":")
    if colon and not _PORT.fullmatch(port):
        _refuse(url, f"has a port that is no number of a port; leave it out, or write :{HTTPS_PORT}")
    return host.lower(), port


def _check_host(url: str, host: str) -> None:
    if ":" in host or _is_dotted_quad(host):
        if not is_public(host):
            _refuse(url, "leads to an address that is not public (private, local, or reserved for other uses)")
        return
    labels = host.split(".")
    if len(host) > _LONGEST_NAME or not all(_is_label(label) for label in labels):
        _refuse(url, "has no valid host name: labels of letters, digits and hyphens with a dot between them")
    if not labels[-1][0].isalpha() or len(labels[-1]) < 2:
        _refuse(url, "ends its host like a number; write an IPv4 address as four decimal numbers without zeros before")
    if len(labels) == 1 or labels[-1] in _INSIDE_NAMES:
        _refuse(url, "has a host name of a private network; use one that the public DNS resolves")


def _is_dotted_quad(host: str) -> bool:
    return isinstance(_parsed(host), ipaddress.IPv4Address)


def _is_label(label: str) -> bool:
    return _LABEL.fullmatch(label) is not None and not label.startswith("-") and not label.endswith("-")


def _refuse(url: str, why: str) -> Never:
    # A query may hold what nobody else should read.
    raise AddressRefused(f"The address {quoted(url.partition('?')[0])} {why}.")
