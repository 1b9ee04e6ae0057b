"""Which addresses may be called back: forms, names and IP addresses."""

from __future__ import annotations

import ipaddress
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchcast.errors import AddressRefused
from matchcast.webhooks.addresses import LONGEST_URL, Address, check_address, is_public
from tests.support.callback_addresses import ADMITTED, INSIDE_V4, INSIDE_V6, REFUSED

ONLY_OURS = [
    ipaddress.IPv4Network(each)
    for each in ("192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24")
]
"""What is refused though the standard library calls it public: anycast of protocols, nobody's receiver."""
LOOPBACK = {
    "https://127.0.0.1/hook",
    "https://127.255.255.254/hook",
    "https://127.0.0.1:443/",
    "https://[::1]/hook",
} | {
    "https://localhost/",
    "https://LOCALHOST/",
}


@pytest.mark.parametrize(("url", "reason"), REFUSED.items(), ids=ascii)
def test_an_address_that_may_not_be_called_is_refused_with_its_reason(url: str, reason: str) -> None:
    # WHEN it is checked
    with pytest.raises(AddressRefused) as caught:
        check_address(url)

    # THEN the client reads why, and nothing that would do anything to a terminal
    assert reason in caught.value.public_detail
    assert caught.value.detail.isprintable()
    assert len(caught.value.detail) < 350


@pytest.mark.parametrize("url", REFUSED, ids=ascii)
def test_of_the_refused_addresses_a_laptop_admits_those_of_loopback_alone(url: str) -> None:
    try:
        check_address(url, loopback=True)
    except AddressRefused:
        assert url not in LOOPBACK
    else:
        assert url in LOOPBACK


def test_the_tables_are_as_long_as_promised() -> None:
    assert len(REFUSED) >= 150
    assert len(ADMITTED) >= 20


@pytest.mark.parametrize(("url", "parts"), ADMITTED.items())
def test_a_public_address_is_taken_apart(url: str, parts: tuple[str, str]) -> None:
    assert check_address(url) == Address("https", parts[0], 443, parts[1])
    assert check_address(url, loopback=True) == check_address(url)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://localhost:8080/hook?a", Address("http", "localhost", 8080, "/hook?a")),
        ("http://127.0.0.1", Address("http", "127.0.0.1", 80, "/")),
        ("https://127.3.2.1:65535/", Address("https", "127.3.2.1", 65535, "/")),
        ("http://[::1]:1/", Address("http", "::1", 1, "/")),
    ],
)
def test_a_laptop_calls_loopback_by_any_scheme_and_port(url: str, address: Address) -> None:
    assert check_address(url, loopback=True) == address
    with pytest.raises(AddressRefused):
        check_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://client.com/",
        "https://client.com:8443/",
        "http://10.0.0.1/",
        "http://a.localhost/",
        "http://127.1/",
        "http://127.0.0.1:65536/",
        "http://[::ffff:127.0.0.1]/",
        "http://localhost.:80/",
        "http://user@localhost/",
    ],
)
def test_on_a_laptop_too_other_hosts_are_called_by_https_on_their_port_alone(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(url, loopback=True)


def test_loopback_hosts_admit_loopback_addresses_alone() -> None:
    # WHEN a name and an address of loopback, and a public name are checked
    local = check_address("http://localhost/", loopback=True)
    literal = check_address("http://127.0.0.1/", loopback=True)
    public = check_address("https://client.com/", loopback=True)

    # THEN
    for address in (local, literal):
        assert address.admits("127.0.0.1")
        assert address.admits("::1")
        assert not address.admits("8.8.8.8")
        assert not address.admits("10.0.0.1")
    assert public.admits("8.8.8.8")
    assert not public.admits("127.0.0.1")


@pytest.mark.parametrize("url", ["https://user:hidden@client.com/", "https://client.com:22/?token=hidden"])
def test_what_may_be_secret_is_not_repeated(url: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        check_address(url)

    assert "hidden" not in caught.value.detail


@pytest.mark.parametrize("piece", ["a.", "%41", "[", ":", "@", "-", "0x", "//", "?", "%", "."])
def test_a_long_text_takes_no_longer_than_its_length(piece: str) -> None:
    # GIVEN a text of the longest length, and one of five million characters
    texts = [f"https://{piece * LONGEST_URL}"[:LONGEST_URL], f"https://{piece * 2_500_000}"]

    # WHEN they are checked
    began = time.process_time()
    for text in texts:
        with pytest.raises(AddressRefused):
            check_address(text)

    # THEN
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("address", [*INSIDE_V4, *INSIDE_V6])
def test_an_address_of_a_special_range_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "9.255.255.255", "100.63.255.255", "100.128.0.0", "172.15.255.255"])
def test_an_ipv4_address_beside_a_special_range_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ["2000::1", "2001:200::", "2001:db7::1", "2003::1", "2a00::1", "3ffe::1"])
def test_an_ipv6_address_beside_a_special_range_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "text", ["", "localhost", "8.8.8.8%eth0", "2606::1%1", "8.8.8", "08.8.8.8", " 8.8.8.8", "1" * 50]
)
def test_what_is_no_plain_address_is_not_public(text: str) -> None:
    assert not is_public(text)


@given(st.ip_addresses(v=4))
def test_of_ipv4_no_address_is_public_that_the_standard_library_calls_special(address: ipaddress.IPv4Address) -> None:
    # WHEN an address is public
    # THEN it is for the standard library too; and only ranges that it does not know are refused beyond
    if is_public(str(address)):
        assert address.is_global
        assert not any((address.is_multicast, address.is_reserved, address.is_unspecified, address.is_loopback))
    elif address.is_global and not address.is_multicast:
        assert any(address in network for network in ONLY_OURS)


@given(st.ip_addresses(v=6) | st.ip_addresses(v=6, network="2000::/3") | st.ip_addresses(v=6, network="2001::/16"))
def test_of_ipv6_no_address_is_public_that_the_standard_library_calls_special(address: ipaddress.IPv6Address) -> None:
    # WHEN an address is public
    # THEN it is for the standard library too, and has no IPv4 address inside of it
    if is_public(str(address)):
        assert address.is_global
        assert not any((address.is_multicast, address.is_reserved, address.is_site_local, address.is_link_local))
        assert (address.ipv4_mapped, address.sixtofour, address.teredo) == (None, None, None)
        assert address in ipaddress.ip_network("2000::/3")


@given(st.ip_addresses(v=4))
def test_no_form_of_ipv4_inside_of_ipv6_is_public(address: ipaddress.IPv4Address) -> None:
    # GIVEN an IPv4 address in every form that leads to it
    value = int(address)
    forms = [
        value,
        0xFFFF << 32 | value,
        0x0064_FF9B << 96 | value,
        0x0064_FF9B_0001 << 80 | value,
        0x2002 << 112 | value << 80,
        0x2001 << 112 | value ^ 0xFFFF_FFFF,
    ]

    # WHEN they are judged
    # THEN none is public
    assert not any(is_public(str(ipaddress.IPv6Address(form))) for form in forms)


@given(st.ip_addresses(), st.sampled_from(["", ":443"]))
def test_an_address_as_host_is_admitted_exactly_if_it_is_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: str
) -> None:
    # WHEN its URL is checked
    host = f"[{address}]" if address.version == 6 else str(address)
    try:
        checked = check_address(f"https://{host}{port}/")
    except AddressRefused:
        checked = None

    # THEN
    assert (checked is not None) == is_public(str(address))
    if checked is not None:
        assert checked.admits(str(address))
        assert checked.host == str(address)


@given(st.ip_addresses(v=4), st.sampled_from(["{:d}", "0x{:x}", "0{:o}", "0X{:X}", "00{:d}"]))
def test_no_number_stands_for_an_address(address: ipaddress.IPv4Address, form: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(f"https://{form.format(int(address))}/")


@given(st.text(max_size=60))
def test_any_text_is_refused_or_leads_to_a_plain_host(text: str) -> None:
    # WHEN whatever a client may send is checked, as all of an address and as its end
    for url in (text, f"https://{text}", f"https://client.com{text}"):
        try:
            checked = check_address(url)
        except AddressRefused:
            continue

        # THEN what is called is a host of plain characters, on the one port, and the target ends no line
        assert set(checked.host) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.:")
        assert (checked.scheme, checked.port) == ("https", 443)
        assert checked.target.startswith("/")
        assert all("!" <= char <= "~" for char in checked.target)
