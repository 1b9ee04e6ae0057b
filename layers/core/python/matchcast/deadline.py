"""How long the running request may still take: a limit that everything which waits for a service keeps to.

Only a request has one. Workers and schedules have none: nobody waits for them, and Lambda's own timeout ends them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_end: ContextVar[float | None] = ContextVar("end of the running request", default=None)


def remaining() -> float | None:
    """Return how many seconds are left, zero or fewer when the time is over; None where there is no limit."""
    end = _end.get()
    return None if end is None else end - time.monotonic()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Limit the block to some seconds; of nested limits the nearest counts."""
    end, outer = time.monotonic() + seconds, _end.get()
    token = _end.set(end if outer is None else min(end, outer))
    try:
        yield
    finally:
        _end.reset(token)


@contextmanager
def briefly(seconds: float, share: float = 0.25) -> Iterator[None]:
    """Limit what a request can do without to some seconds, and to a share of the time that it has left.

    Where there is no limit, this sets none.
    """
    left = remaining()
    if left is None:
        yield
        return
    with within(min(seconds, left * share)):
        yield
