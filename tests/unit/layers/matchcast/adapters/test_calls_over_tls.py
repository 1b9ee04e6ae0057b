"""Calls of the SDK over TLS, as on AWS, that are abandoned: their connections are cut too."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from socket import create_server

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from matchcast.adapters.s3_objects import S3Objects
from matchcast.bootstrap import parts
from matchcast.deadline import within
from matchcast.errors import StorageUnavailable

pytestmark = pytest.mark.enable_socket

HOST = "127.0.0.1"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a file with a certificate of loopback and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    return path


@pytest.fixture
def asked(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Serve over TLS an answer that never ends, a byte now and then; return what is set when it is asked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    asked = threading.Event()

    def drip() -> None:
        with suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True) as connection:
            connection.recv(65_536)
            asked.set()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
            while True:
                connection.sendall(b"x")
                time.sleep(0.02)

    with create_server((HOST, 0)) as listener:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://{HOST}:{listener.getsockname()[1]}")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        yield asked
    thread.join(10)
    assert not thread.is_alive(), "it drips into a connection that was cut"


def test_an_abandoned_call_over_tls_ends(asked: threading.Event) -> None:
    # GIVEN
    bucket = S3Objects(parts.client("s3"), "bucket")

    # WHEN
    with within(2), pytest.raises(StorageUnavailable):
        bucket.get("key")

    # THEN
    assert asked.is_set()
    calls = [thread for thread in threading.enumerate() if thread.name == "timed call"]
    for call in calls:
        call.join(5)
    assert not any(call.is_alive() for call in calls)
