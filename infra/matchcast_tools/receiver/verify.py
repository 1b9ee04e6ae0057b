"""Verify a request of Standard Webhooks as its receiver."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence

from matchcast.webhooks.signing import sign
from matchcast_tools.errors import BadInput

TOLERANCE_SECONDS = 300
_LEAST_BYTES, _MOST_BYTES = 24, 64


def read_secret(text: str) -> bytes:
    """Return the value of a secret as its tenant was shown it.

    Raises
    ------
    BadInput
        If it is none.
    """
    try:
        value = base64.b64decode(text.strip().removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if not _LEAST_BYTES <= len(value) <= _MOST_BYTES:
        # It is not shown: half of a secret may be one.
        raise BadInput("The secret is not whsec_ and base64, as `matchcast webhook secret create` prints it.")
    return value


def why_refused(secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: float) -> str | None:
    """Return why a request is not to be trusted; None if one of the secrets has signed it, lately.

    Parameters
    ----------
    secrets
        Any of which may have signed.
    headers
        With names in lower case.
    body
        The bytes as they came.
    now
        Unix seconds.
    """
    missing = [name for name in ("webhook-id", "webhook-timestamp", "webhook-signature") if not headers.get(name)]
    if missing:
        return f"there is no {missing[0]}"
    event_id, timestamp, given = (headers[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature"))
    if not re.fullmatch(r"[0-9]{1,12}", timestamp):
        return "the timestamp is no number of seconds"
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return f"the timestamp is {abs(now - int(timestamp)):.0f} s away from this machine's clock"
    expected = sign(secrets, event_id, int(timestamp), body).encode().split()
    if any(hmac.compare_digest(one, each.encode()) for one in expected for each in given.split()):
        return None
    return "no signature is of this secret, id, timestamp and body"
