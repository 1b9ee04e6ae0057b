"""Answers to callbacks at real sockets: late, endless, broken, or none; and what counts as one."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from matchcast.adapters.https_poster import HttpsPoster, verifying
from matchcast.adapters.timed_sockets import MOST_BYTES
from matchcast.errors import DeliveryFailed
from matchcast.webhooks.ports import Answer
from tests.support.receivers import Receiver, answering, dripping, read_request, receiver

pytestmark = pytest.mark.enable_socket

SECONDS = 0.6
"""What a call of these tests may take; a receiver that makes it longer would take until the end of its test."""
LATE = SECONDS + 1.5
HEAD = b"HTTP/1.1 200 OK\r\n"
Serve = Callable[[Receiver, socket.socket], None]


@pytest.fixture(scope="module")
def poster() -> HttpsPoster:
    return HttpsPoster(loopback=True, context=verifying())


def outcome(poster: HttpsPoster, there: Receiver, body: bytes = b"{}", *, scheme: str = "http") -> Answer | str:
    """Return the answer, or the cause of its absence, and fail if it took too long."""
    began = time.monotonic()
    try:
        return poster.post(f"{scheme}://127.0.0.1:{there.port}/", {"webhook-id": "evt_1_0"}, body, SECONDS)
    except DeliveryFailed as error:
        return error.cause
    finally:
        assert time.monotonic() - began < LATE


def hang(there: Receiver, connection: socket.socket) -> None:
    there.over.wait(30)


def hang_after_the_request(there: Receiver, connection: socket.socket) -> None:
    read_request(there, connection)
    there.over.wait(30)


def hang_after(start: bytes) -> Serve:
    def serve(there: Receiver, connection: socket.socket) -> None:
        read_request(there, connection)
        connection.sendall(start)
        there.over.wait(30)

    return serve


def read_slowly(there: Receiver, connection: socket.socket) -> None:
    while not there.over.wait(0.02):
        connection.recv(65_536)


@pytest.mark.parametrize(
    "serve",
    [
        hang_after_the_request,
        hang_after(b"HTT"),
        hang_after(HEAD),
        hang_after(HEAD + b"Content-Length: 10\r\n"),
        hang_after(HEAD + b"Content-Length: 10\r\n\r\n12345"),
        hang_after(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n123"),
        hang_after(HEAD + b"\r\n"),
        dripping(b"", b"H"),
        dripping(b"HTTP/1.1 200 O", b"K"),
        dripping(HEAD + b"a: ", b"x"),
        dripping(HEAD, b"a: b\r\n", 0.05),
        dripping(HEAD + b"Content-Length: 9999\r\n\r\n", b"x"),
        dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        dripping(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
)
def test_an_answer_that_does_not_end_in_time_is_none(poster: HttpsPoster, serve: Serve) -> None:
    with receiver(serve) as there:
        assert outcome(poster, there) == "timeout"


@pytest.mark.parametrize("serve", [hang, read_slowly])
def test_a_receiver_that_does_not_read_holds_nobody_up(poster: HttpsPoster, serve: Serve) -> None:
    with receiver(serve) as there:
        assert outcome(poster, there, b"x" * 20_000_000) == "timeout"


@pytest.mark.parametrize("start", [b"", b"\x16\x03\x03"])
def test_a_tls_handshake_that_does_not_end_in_time_fails(poster: HttpsPoster, start: bytes) -> None:
    def serve(there: Receiver, connection: socket.socket) -> None:
        connection.sendall(start)
        there.over.wait(30)

    with receiver(serve) as there:
        assert outcome(poster, there, scheme="https") == "timeout"


def test_a_tls_handshake_that_drips_fails_in_time(poster: HttpsPoster) -> None:
    # GIVEN a receiver that begins a record of TLS, and sends a byte of it now and then
    def serve(there: Receiver, connection: socket.socket) -> None:
        connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
        while not there.over.wait(0.02):
            connection.sendall(b"\x03")

    # WHEN it is called
    # THEN
    with receiver(serve) as there:
        assert outcome(poster, there, scheme="https") == "timeout"


@pytest.fixture
def full() -> Iterator[Receiver]:
    """A port whose queue of connections is full, so that a further one waits for ever."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        there = Receiver(listener.getsockname()[1])
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.2)
            try:
                waiting.connect(("127.0.0.1", there.port))
            except TimeoutError:
                break
        else:
            pytest.fail("the queue of connections has no end")
        yield there


def test_a_connection_that_is_not_made_in_time_fails(poster: HttpsPoster, full: Receiver) -> None:
    assert outcome(poster, full) == "timeout"


@pytest.mark.parametrize("piece", [b"a: b\r\n", b"x" * 1000, b"a: " + b"b" * 900 + b"\r\n"])
def test_headers_without_end_are_no_answer(poster: HttpsPoster, piece: bytes) -> None:
    with receiver(dripping(HEAD, piece * 100, 0)) as there:
        assert outcome(poster, there) == "protocol"


@pytest.mark.parametrize(
    "answer",
    [
        b"nothing of HTTP\r\n\r\n",
        b"HTTP/1.1 two-hundred OK\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.0\r\n",
        b"HTTP/1.1 200",
        HEAD,
        HEAD + b"Content-Length: 2\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"\x00" * 100,
        b"\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_none(poster: HttpsPoster, answer: bytes) -> None:
    with receiver(answering(answer)) as there:
        assert outcome(poster, there) in ("protocol", "connection")


def test_a_receiver_that_closes_without_an_answer_has_given_none(poster: HttpsPoster) -> None:
    with receiver(answering(b"")) as there:
        assert outcome(poster, there) == "connection"


def test_nobody_at_a_port_is_no_answer(poster: HttpsPoster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        there = Receiver(listener.getsockname()[1])

    assert outcome(poster, there) == "connection"


def test_a_receiver_without_tls_is_not_called_by_https(poster: HttpsPoster) -> None:
    def plain(there: Receiver, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with receiver(plain) as there:
        assert outcome(poster, there, scheme="https") == "tls"


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"\r\n",
        HEAD + b"\r\nas far as it goes",
        HEAD + b"Content-Length: 0\r\n\r\n",
        HEAD + b"Content-Length: 9999\r\n\r\nbroken off",
        HEAD + b"Content-Length: wrong\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nno chunk",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\nx",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nx",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-ffffffffffffffffffff\r\nx",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.0 200 OK\r\n\r\nold",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + HEAD + b"\r\n",
    ],
)
def test_an_answer_counts_when_its_headers_are_there(poster: HttpsPoster, answer: bytes) -> None:
    with receiver(answering(answer)) as there:
        assert outcome(poster, there) == Answer(200)


@pytest.mark.parametrize("headers", [b"", b"Content-Length: 99999999999\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_of_a_body_without_end_64_kb_are_read(poster: HttpsPoster, headers: bytes) -> None:
    # GIVEN a receiver that counts what it gets rid of, by connections with small buffers
    sent = 0

    def serve(there: Receiver, connection: socket.socket) -> None:
        nonlocal sent
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        read_request(there, connection)
        connection.sendall(HEAD + headers + b"\r\n")
        piece = b"1000\r\n" + b"x" * 4096 + b"\r\n"
        while not there.over.is_set():
            connection.sendall(piece)
            sent += len(piece)

    # WHEN it is called
    with receiver(serve) as there:
        found = outcome(poster, there)

    # THEN its answer counts, and little more than the limit was taken from it (the kernel has buffers of its own)
    assert found == Answer(200)
    assert sent < MOST_BYTES + 8_000_000


@pytest.mark.parametrize("status", [200, 204, 304, 400, 410, 429, 500, 503, 599, 101])
def test_every_status_is_an_answer(poster: HttpsPoster, status: int) -> None:
    with receiver(answering(b"HTTP/1.1 %d Any\r\n\r\n" % status)) as there:
        assert outcome(poster, there) == Answer(status)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("999999999", 999_999_999.0),
        *((wrong, None) for wrong in ("1e9", "-5", "12.5", "9" * 5000, "soon", "", "\u0661", "Mon, 01 Jan 0001")),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
    ],
)
def test_retry_after_is_read_where_it_is_usable(poster: HttpsPoster, value: str, seconds: float | None) -> None:
    with receiver(answering(f"HTTP/1.1 503 X\r\nRetry-After: {value}\r\n\r\n".encode())) as there:
        assert outcome(poster, there) == Answer(503, seconds)


def test_retry_after_may_be_a_date(poster: HttpsPoster) -> None:
    # GIVEN a receiver that asks for a try in an hour
    at = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)

    # WHEN it is called
    with receiver(answering(f"HTTP/1.1 429 X\r\nRetry-After: {at}\r\n\r\n".encode())) as there:
        found = outcome(poster, there)

    # THEN
    assert isinstance(found, Answer)
    assert found.retry_after == pytest.approx(3600, abs=5)


def test_what_verifies_takes_tls_1_2_and_later_alone() -> None:
    context = verifying()

    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
