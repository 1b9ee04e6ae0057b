"""The `Idempotency-Key` header (IETF draft), quoted or not, with the fingerprint of its request."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any

import orjson
from aws_lambda_powertools.event_handler.openapi.params import Header

from matchcast.errors import FieldError, KeyMalformed
from matchcast.http.headers import LONGEST
from matchcast.tasks.accept import IdempotencyKey

HEADER = "Idempotency-Key"
# Not quoted it has no comma: that is how a gateway joins a header that was sent twice.
# One expression for this code and for the OpenAPI document: what both it and JavaScript read alike.
_PATTERN = r'^(?:"((?:[ !#-\[\]-~]|\\["\\]){1,255})"|([!#-+\--~]{1,255}))$'
_KEY = re.compile(_PATTERN)
Key = Annotated[
    str | None,
    Header(
        alias=HEADER,
        description="One task for each key, kept as long as the task; repeat a request safely.",
        # Not `pattern`: a malformed key is a 400 of its own, not one more invalid value.
        json_schema_extra={"pattern": _PATTERN},
    ),
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
    match = _KEY.fullmatch(header.strip()) if len(header) <= LONGEST else None
    if match is None:
        detail = "Send 1 to 255 visible ASCII characters, in double quotes or without any."
        raise KeyMalformed(detail, [FieldError(detail=detail, header=HEADER)])
    canonical = orjson.dumps([route, content], option=orjson.OPT_SORT_KEYS)
    return IdempotencyKey(match[1] or match[2], hashlib.sha256(canonical).hexdigest())
