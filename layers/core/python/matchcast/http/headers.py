"""Values of request headers, parsed in one pass; no client can make a header expensive to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 4_096
"""Characters of a header's value that are read; a longer one counts as not sent."""
_LONGEST_DATE = 64


def header(headers: Mapping[str, str], name: str) -> str | None:
    """Return a header's value, or None if it was not sent or is too long to be meant."""
    value = headers.get(name)
    return value if value is not None and len(value) <= LONGEST else None


def split_outside_quotes(text: str, separator: str) -> Iterator[str]:
    """Yield the parts between separators, none of which counts inside double quotes.

    Examples
    --------
    >>> list(split_outside_quotes('a, b="c,d"', ","))
    ['a', ' b="c,d"']
    """
    part: list[str] = []
    for number, piece in enumerate(text.split('"')):
        if number:
            part.append('"')
        first, *more = [piece] if number % 2 else piece.split(separator)
        part.append(first)
        for following in more:
            yield "".join(part)
            part = [following]
    yield "".join(part)


def http_date(text: str | None) -> datetime | None:
    """Return the time in a header, or None if it holds no time (RFC 9110 asks to ignore it then)."""
    if text is None or len(text) > _LONGEST_DATE:
        return None
    try:
        parsed = parsedate_to_datetime(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
