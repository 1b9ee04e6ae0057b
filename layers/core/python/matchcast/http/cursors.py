"""Opaque signed cursors of lists, bound to the list, its filters and the tenant that asked."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from matchcast.errors import CursorNotFound, FieldError, InvalidRequest

_TAG_BYTES = 16
MAX_CURSOR_LENGTH = 2_000
CURSOR_PATTERN = r"^[A-Za-z0-9_-]+$"
"""What every cursor looks like; anything else can be refused before it is opened."""
# Keeps these signatures apart from any other use of the same secret, and from a later format.
_PURPOSE = b"matchcast cursor 1\n"


class Cursors:
    """Seals a position of a list into a text that only the same list opens.

    Parameters
    ----------
    key
        Returns the secret that signs; it is asked for when the first cursor is sealed or opened.

    Examples
    --------
    >>> cursors = Cursors(lambda: b"secret")
    >>> text = cursors.seal([1, "e0"], {"list": "odds", "region": None})
    >>> cursors.open(text, {"region": None, "list": "odds"})
    [1, 'e0']
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    def seal(self, position: Any, bound_to: Mapping[str, Any]) -> str:
        """Return a cursor for a JSON-able position, to be opened with an equal `bound_to`."""
        payload = orjson.dumps(position)
        return base64.urlsafe_b64encode(self._tag(payload, bound_to) + payload).rstrip(b"=").decode()

    def open(self, text: str, bound_to: Mapping[str, Any]) -> Any:
        """Return the position in a cursor.

        Raises
        ------
        InvalidRequest
            If the text does not look like a cursor at all.
        CursorNotFound
            If it was changed, or issued for another list, other filters or another tenant.
        """
        if len(text) > MAX_CURSOR_LENGTH or re.fullmatch(CURSOR_PATTERN, text) is None:
            detail = "This is no cursor. Send `next_cursor` of the page before, unchanged, or leave it out."
            raise InvalidRequest(detail, [FieldError(detail=detail, parameter="cursor")])
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except binascii.Error:
            sealed = b""  # of an impossible length: changed, or cut off
        tag, payload = sealed[:_TAG_BYTES], sealed[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(payload, bound_to)):
            raise CursorNotFound(
                "The cursor is not one of this list. Use `next_cursor` with the filters it was issued for, "
                "or start without a cursor."
            )
        return orjson.loads(payload)

    def _tag(self, payload: bytes, bound_to: Mapping[str, Any]) -> bytes:
        binding = orjson.dumps(dict(bound_to), option=orjson.OPT_SORT_KEYS)
        # The length keeps what is bound and what is positioned from running into each other.
        signed = _PURPOSE + len(binding).to_bytes(4, "big") + binding + payload
        return hmac.digest(self._key(), signed, hashlib.sha256)[:_TAG_BYTES]
