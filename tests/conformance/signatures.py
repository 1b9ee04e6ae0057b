"""Verify signatures of Standard Webhooks with the standard library alone."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from contextlib import suppress

from tests.conformance.receiver import Request

SIGNATURE = re.compile(r"v1,[A-Za-z0-9+/]{43}=")


def new_secret() -> str:
    """Return a secret of 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def signature(secret: str, event_id: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a request."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(signed.digest()).decode()


def verifies(request: Request, secret: str) -> bool:
    """Return whether one of the request's signatures was made with a secret; its age is not looked at."""
    event_id, timestamp = request.header("webhook-id"), request.header("webhook-timestamp")
    with suppress(binascii.Error):
        expected = signature(secret, event_id, timestamp, request.body).encode()
        given = request.header("webhook-signature").split(" ")
        return any(hmac.compare_digest(expected, each.encode()) for each in given)
    return False
