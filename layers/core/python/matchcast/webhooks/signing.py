"""Signatures of Standard Webhooks, version `v1`: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets as random_bytes
from collections.abc import Mapping, Sequence
from datetime import datetime

_SECRET_BYTES = 32
_PREFIX = "whsec_"


def sign(secrets: Sequence[bytes], event_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: one signature for each secret, so that a receiver may know any of them.

    Parameters
    ----------
    secrets
        The values of the live secrets.
    event_id, timestamp
        The headers `webhook-id` and `webhook-timestamp` (Unix seconds).
    body
        The bytes that are sent.
    """
    signed = f"{event_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_base64(hmac.digest(secret, signed, hashlib.sha256))}" for secret in secrets)


def signed_headers(secrets: Sequence[bytes], event_id: str, now: datetime, body: bytes) -> Mapping[str, str]:
    """Return the headers of one attempt: each is signed anew, with its own time."""
    timestamp = int(now.timestamp())
    return {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secrets, event_id, timestamp, body),
    }


def new_secret() -> bytes:
    """Return the value of a new secret."""
    return random_bytes.token_bytes(_SECRET_BYTES)


def show_secret(value: bytes) -> str:
    """Return a secret as its tenant sees it, once: what libraries of Standard Webhooks take."""
    return _PREFIX + _base64(value)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
