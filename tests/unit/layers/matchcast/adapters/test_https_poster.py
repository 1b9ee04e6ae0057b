"""Callbacks at real sockets: where the connection goes, and what the certificate has to be."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from matchcast import __version__
from matchcast.adapters import https_poster
from matchcast.adapters.https_poster import MOST_ADDRESSES, HttpsPoster, verifying
from matchcast.errors import AddressRefused, DeliveryFailed
from matchcast.webhooks.ports import Answer
from tests.support.callback_addresses import INSIDE_V4, INSIDE_V6, REFUSED
from tests.support.certificates import Authority
from tests.support.receivers import OK, WATCH, Receiver, answering, read_request, receiver

pytestmark = pytest.mark.enable_socket

PUBLIC, PRIVATE = "93.184.216.34", "10.0.0.1"
HEADERS = {"content-type": "application/json", "webhook-id": "evt_1_0", "webhook-signature": "v1,a v1,b"}


class Names:
    """A resolver that gives one list of addresses after the other, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, *, type: int) -> list[tuple[Any, ...]]:  # noqa: A002 - as getaddrinfo
        self.asked.append(host)
        addresses = self._answers[min(len(self.asked), len(self._answers)) - 1]
        return [
            (socket.AF_INET6, type, 6, "", (each, port, 0, 0))
            if ":" in each
            else (socket.AF_INET, type, 6, "", (each, port))
            for each in addresses
        ]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def trusting(authority: Authority) -> ssl.SSLContext:
    context = verifying()
    context.load_verify_locations(cadata=authority.pem)
    return context


@pytest.fixture(scope="module")
def verified() -> ssl.SSLContext:
    """What verifies outside of tests; it takes long to load."""
    return verifying()


def post(poster: HttpsPoster, url: str, body: bytes = b"{}", seconds: float = 5) -> Answer:
    return poster.post(url, HEADERS, body, seconds)


@pytest.mark.parametrize("url", REFUSED, ids=ascii)
def test_nothing_is_connected_to_for_a_refused_address(url: str, verified: ssl.SSLContext) -> None:
    # GIVEN a resolver that would lead outside
    names = Names([PUBLIC])

    # WHEN it is called
    with WATCH.on() as targets, pytest.raises(AddressRefused):
        post(HttpsPoster(context=verified, resolve=names), url)

    # THEN
    assert (targets, names.asked) == ([], [])


@pytest.mark.parametrize("inside", [*INSIDE_V4, *INSIDE_V6, "fe80::1%eth0"])
def test_a_name_that_leads_inside_is_not_connected_to(inside: str, verified: ssl.SSLContext) -> None:
    # GIVEN names that lead inside alone, and beside a public address
    for addresses in ([inside], [PUBLIC, inside], [inside, PUBLIC], [*["8.8.8.8"] * MOST_ADDRESSES, PUBLIC, inside]):
        # WHEN they are called
        with WATCH.on() as targets, pytest.raises(AddressRefused, match="not public"):
            post(HttpsPoster(context=verified, resolve=Names(addresses)), "https://client.com/")

        # THEN
        assert targets == []


def test_a_name_that_is_public_first_and_private_afterwards_gains_nothing() -> None:
    # GIVEN a name that changes its address between two lookups
    names = Names([PUBLIC], [PRIVATE])
    poster = HttpsPoster(resolve=names)

    # WHEN it is called twice
    with WATCH.on() as targets:
        with pytest.raises(DeliveryFailed) as failed:
            post(poster, "https://client.com/")
        with pytest.raises(AddressRefused):
            post(poster, "https://client.com/")

    # THEN each call looked it up once, and only the address that was checked was connected to
    assert targets == [(PUBLIC, 443)]
    assert failed.value.cause == "connection"
    assert names.asked == ["client.com", "client.com"]


def test_the_system_resolver_is_not_asked_after_the_check(
    authority: Authority, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a name whose checked address is another one than the system would find
    names = Names(["127.0.0.2"])
    monkeypatch.setattr(socket, "getaddrinfo", Names(["127.0.0.1"]))

    # WHEN it is called
    with receiver(answering(OK), tls=authority.serving("localhost"), host="127.0.0.2") as there, WATCH.on() as targets:
        answer = post(
            HttpsPoster(loopback=True, context=trusting, resolve=names), f"https://localhost:{there.port}/hook?a=b"
        )

    # THEN the request went to the checked address, under the name
    assert answer == Answer(200)
    assert targets == [("127.0.0.2", there.port)]
    assert there.names == ["localhost"]
    assert len(there.requests) == 1


def test_a_connection_that_ends_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN sockets whose peer is another one than they were told
    class Diverted(socket.socket):
        def getpeername(self) -> Any:
            return ("127.0.0.9", 80)

    monkeypatch.setattr(socket, "socket", Diverted)

    # WHEN an address is called
    # THEN nothing is sent to it
    with receiver(answering(OK)) as there, pytest.raises(AddressRefused, match="another address"):
        post(HttpsPoster(loopback=True), f"http://127.0.0.1:{there.port}/")
    assert there.requests == []


def test_the_next_address_of_a_name_is_tried_where_one_refuses() -> None:
    # GIVEN a name of which one address has no server
    with receiver(answering(OK)) as there, WATCH.on() as targets:
        # WHEN it is called
        answer = post(
            HttpsPoster(loopback=True, resolve=Names(["::1", "127.0.0.1"])), f"http://localhost:{there.port}/"
        )

    # THEN
    assert answer == Answer(200)
    assert [host for host, _ in targets] == ["::1", "127.0.0.1"]


def test_a_name_with_many_addresses_is_tried_a_few_times() -> None:
    # GIVEN a name with a hundred addresses
    names = Names([f"8.8.{number}.8" for number in range(100)])

    # WHEN it is called
    with WATCH.on() as targets, pytest.raises(DeliveryFailed) as caught:
        post(HttpsPoster(resolve=names), "https://client.com/")

    # THEN
    assert len(targets) == MOST_ADDRESSES
    assert caught.value.cause == "connection"


def test_a_name_that_leads_outside_is_no_loopback() -> None:
    with WATCH.on() as targets, pytest.raises(AddressRefused):
        post(HttpsPoster(loopback=True, resolve=Names([PUBLIC])), "http://localhost:80/")

    assert targets == []


@pytest.mark.parametrize(
    "answer", [socket.gaierror(socket.EAI_NONAME, "unknown"), UnicodeError("label too long"), None], ids=repr
)
def test_a_name_without_an_address_is_no_delivery(answer: Exception | None) -> None:
    # GIVEN a resolver that raises, or finds nothing
    def resolve(*_: Any, **__: Any) -> list[Any]:
        if answer is not None:
            raise answer
        return []

    # WHEN it is called
    # THEN
    with pytest.raises(DeliveryFailed) as caught:
        post(HttpsPoster(resolve=resolve), "https://client.com/")
    assert caught.value.cause == "dns"


def test_lookups_that_hang_hold_up_their_own_calls_and_no_more_threads_than_there_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN a resolver that hangs, and room for two lookups
    monkeypatch.setattr(https_poster, "_MOST_LOOKUPS", 2)
    over = threading.Event()

    def resolve(*_: Any, **__: Any) -> list[Any]:
        over.wait(30)
        return []

    poster = HttpsPoster(resolve=resolve)
    causes = []

    # WHEN three names are called, and one more when the resolver is well
    for _ in range(3):
        with pytest.raises(DeliveryFailed) as caught:
            post(poster, "https://client.com/", seconds=0.2)
        causes.append(caught.value.cause)
    over.set()

    # THEN
    assert causes == ["timeout", "timeout", "dns"]
    while not poster._free_lookups.acquire(timeout=5):
        pytest.fail("the lookups that ended gave no room back")


def test_a_request_is_sent_whole_with_the_headers_of_a_callback(authority: Authority, trusting: ssl.SSLContext) -> None:
    # GIVEN a body larger than any buffer
    body = b'{"data":"' + b"x" * 3_000_000 + b'"}'

    # WHEN it is posted over TLS
    with receiver(answering(OK), tls=authority.serving("localhost")) as there:
        url = f"https://localhost:{there.port}/hook?a=b%20c"
        answer = post(HttpsPoster(loopback=True, context=trusting, resolve=Names(["127.0.0.1"])), url, body, 20)

    # THEN
    head, _, sent = there.requests[0].partition(b"\r\n\r\n")
    assert answer == Answer(200)
    assert sent == body
    assert head.decode().split("\r\n") == [
        "POST /hook?a=b%20c HTTP/1.1",
        f"host: localhost:{there.port}",
        f"user-agent: matchcast/{__version__}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "connection: close",
        "webhook-id: evt_1_0",
        "webhook-signature: v1,a v1,b",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-id", "a\r\nx: 1"),
        ("webhook-id", "a\nb"),
        ("a b", "c"),
        ("a:b", "c"),
        ("x", "\u00e4"),
        ("x", "a\0"),
        ("x\r\ny", "a"),
        ("", "a"),
        ("Host", "inside"),
        ("content-length", "1"),
        ("Transfer-Encoding", "chunked"),
    ],
)
def test_a_header_that_would_change_the_request_is_not_sent(name: str, value: str, verified: ssl.SSLContext) -> None:
    with receiver(answering(OK)) as there, pytest.raises(ValueError, match="cannot have the header"):
        HttpsPoster(loopback=True, context=verified).post(f"http://127.0.0.1:{there.port}/", {name: value}, b"{}", 5)

    assert there.requests == []


def test_an_address_is_verified_by_its_certificate_too(authority: Authority, trusting: ssl.SSLContext) -> None:
    # GIVEN receivers at an address, with a certificate for it and with one for a name alone
    poster = HttpsPoster(loopback=True, context=trusting)

    # WHEN they are called
    # THEN
    with receiver(answering(OK), tls=authority.serving("127.0.0.1")) as there:
        assert post(poster, f"https://127.0.0.1:{there.port}/") == Answer(200)
    with receiver(answering(OK), tls=authority.serving("localhost")) as there, pytest.raises(DeliveryFailed):
        post(poster, f"https://127.0.0.1:{there.port}/")


def wrong_tls(authority: Authority, kind: str) -> ssl.SSLContext:
    if kind == "expired":
        return authority.serving("localhost", begins=timedelta(days=-3), ends=timedelta(days=-2))
    if kind == "not valid yet":
        return authority.serving("localhost", begins=timedelta(days=2), ends=timedelta(days=3))
    if kind == "self-signed":
        return authority.serving("localhost", self_signed=True)
    if kind == "for another name":
        return authority.serving("client.com", "127.0.0.1")
    context = authority.serving("localhost")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("kind", ["expired", "not valid yet", "self-signed", "for another name", "TLS 1.1"])
def test_a_receiver_that_cannot_be_trusted_is_sent_nothing(
    authority: Authority, trusting: ssl.SSLContext, kind: str
) -> None:
    # GIVEN a receiver that is wrong in one way
    poster = HttpsPoster(loopback=True, context=trusting, resolve=Names(["127.0.0.1"]))

    # WHEN it is called
    with receiver(answering(OK), tls=wrong_tls(authority, kind)) as there, pytest.raises(DeliveryFailed) as caught:
        post(poster, f"https://localhost:{there.port}/")

    # THEN
    assert caught.value.cause == "tls"
    assert there.requests == []


def test_an_authority_that_the_system_does_not_know_is_not_trusted(authority: Authority) -> None:
    # GIVEN a good certificate, and what verifies outside of tests
    with receiver(answering(OK), tls=authority.serving("127.0.0.1")) as there, pytest.raises(DeliveryFailed) as caught:
        # WHEN it is called
        post(HttpsPoster(loopback=True), f"https://127.0.0.1:{there.port}/")

    # THEN
    assert caught.value.cause == "tls"
    assert there.requests == []


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a proxy for everything
    with receiver(answering(OK)) as proxy, receiver(answering(OK)) as there:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

        # WHEN a receiver is called
        answer = post(HttpsPoster(loopback=True), f"http://127.0.0.1:{there.port}/")

    # THEN
    assert answer == Answer(200)
    assert (len(there.requests), proxy.requests) == (1, [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["http://169.254.169.254/latest/meta-data/", "https://client.com/", "/other"])
def test_a_redirect_is_an_answer_like_any_other(status: int, location: str, verified: ssl.SSLContext) -> None:
    # GIVEN a receiver that redirects, and sets a cookie
    found = f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n".encode()
    poster = HttpsPoster(loopback=True, context=verified)

    # WHEN it is called twice
    with receiver(answering(found)) as there, WATCH.on() as targets:
        answers = [post(poster, f"http://127.0.0.1:{there.port}/") for _ in range(2)]

    # THEN nothing else is connected to, and no cookie comes back
    assert answers == [Answer(status)] * 2
    assert targets == [("127.0.0.1", there.port)] * 2
    assert b"cookie" not in there.requests[1].lower()


def test_many_calls_at_once_keep_apart(verified: ssl.SSLContext) -> None:
    # GIVEN a receiver that says in its status which request it was sent, when it has been sent all of them
    together = threading.Barrier(10, timeout=30)

    def serve(there: Receiver, connection: socket.socket) -> None:
        number = int(read_request(there, connection))
        together.wait()
        connection.sendall(b"HTTP/1.1 %d X\r\n\r\n" % number)

    poster, numbers = HttpsPoster(loopback=True, context=verified), range(200, 210)

    # WHEN ten threads call it at once
    with receiver(serve) as there, ThreadPoolExecutor(10) as threads:
        url = f"http://127.0.0.1:{there.port}/"
        answers = list(threads.map(lambda number: post(poster, url, str(number).encode(), 30).status, numbers))

    # THEN
    assert answers == list(numbers)
