"""Lengths of time and moments as people write them: `90s`, `2h`, `2026-11-22T10:00:00Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from matchcast_tools.errors import BadInput

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=3650)


def read_span(text: str) -> timedelta:
    """Return a length of time.

    Raises
    ------
    BadInput
        If it is none.
    """
    written = re.fullmatch(r"([0-9]{1,9})([smhd])", text.strip(), re.ASCII)
    span = timedelta(**{_UNITS[written[2]]: int(written[1])}) if written else None
    if span is None or span > _LONGEST:
        raise BadInput(f"{text!r} is no length of time. Give a number with s, m, h or d, such as 90s or 2h.")
    return span


def read_moment(text: str, now: datetime) -> datetime:
    """Return a moment: a time, in UTC where it names no zone, or how long ago it was.

    Raises
    ------
    BadInput
        If it is neither.
    """
    if re.fullmatch(r"[0-9]+[smhd]", text.strip(), re.ASCII):
        return now - read_span(text)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise BadInput(
            f"{text!r} is no time. Give one such as 2026-11-22T10:00:00Z, or how long ago it was, such as 2h."
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
