"""The `Idempotency-Key` header (IETF draft), quoted or not, with the fingerprint of its request."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any

import orjson
from aws_lambda_powertools.event_handler.openapi.params import Header

from matchcast.errors import FieldError, KeyMalformed
from matchcast.use_cases.accept_task import IdempotencyKey

HEADER = "Idempotency-Key"
_KEY = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])+)"|([\x21\x23-\x7e]+)')
_LONGEST = 255
Key = Annotated[
    str | None,
    Header(alias=HEADER, description="One task for each key, kept as long as the task; repeat a request safely."),
]


def idempotency_key(header: str | None, route: str, content: Any) -> IdempotencyKey | None:
    """Return the key of a request, or None if it has none.

    Parameters
    ----------
    header
        The header's value.
    route, content
        What the request asks for; a key stands for one of them.

    Raises
    ------
    KeyMalformed
        If the value is no key.
    """
    if header is None:
        return None
    match = _KEY.fullmatch(header.strip())
    key = (match[1] or match[2]) if match else ""
    if not 1 <= len(key) <= _LONGEST:
        detail = f"Send 1 to {_LONGEST} visible ASCII characters, in double quotes or without any."
        raise KeyMalformed(detail, [FieldError(detail=detail, header=HEADER)])
    canonical = orjson.dumps([route, content], option=orjson.OPT_SORT_KEYS)
    return IdempotencyKey(key, hashlib.sha256(canonical).hexdigest())
