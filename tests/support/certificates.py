"""Certificates of receivers: by an authority of the test's own, good or wrong in one way."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_DAY = timedelta(days=1)


class Authority:
    """Signs certificates, and is trusted by `trusting`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Authority of a test")
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        self._certificate = (
            _dated(x509.CertificateBuilder(self._name, self._name, self._key.public_key()), -_DAY, _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> str:
        """Return the certificate of the authority."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def serving(
        self, *hosts: str, begins: timedelta = -_DAY, ends: timedelta = _DAY, self_signed: bool = False
    ) -> ssl.SSLContext:
        """Return how a server shows a certificate for some names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("A receiver")
        names = [x509.IPAddress(ip_address(each)) if _is_address(each) else x509.DNSName(each) for each in hosts]
        builder = x509.CertificateBuilder(name if self_signed else self._name, name, key.public_key())
        certificate = (
            _dated(builder, begins, ends)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(key if self_signed else self._key, hashes.SHA256())
        )
        path = self._folder / f"{certificate.serial_number}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def _dated(builder: x509.CertificateBuilder, begins: timedelta, ends: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(now + begins).not_valid_after(now + ends)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _is_address(host: str) -> bool:
    return host.replace(".", "").isdigit() or ":" in host
