"""Signals that end a command: the first one becomes KeyboardInterrupt, further ones wait for the cleaning up.

It imports nothing but the standard library, since a command takes its signals over before it imports anything else.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_came: list[int] = []


def interrupt_by_signals() -> None:
    """Raise KeyboardInterrupt at the first signal that ends a command, and take no notice of further ones."""
    _came.clear()
    for number in ENDING_SIGNALS:
        signal.signal(number, _interrupt)


def was_interrupted() -> bool:
    """Return whether a signal came; a library may have turned the KeyboardInterrupt into an error of its own."""
    return bool(_came)


@contextmanager
def interrupted_as_one() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of the block in place of whatever a signal has led to in it."""
    try:
        yield
    except Exception:
        if was_interrupted():
            raise KeyboardInterrupt from None
        raise
    if was_interrupted():
        raise KeyboardInterrupt


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Take no notice of signals during the block: a stop is short, and half a stop leaves processes behind."""
    before = {number: signal.signal(number, _ignore) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, _: FrameType | None) -> None:
    if not _came:
        _came.append(number)
        raise KeyboardInterrupt


def _ignore(number: int, _: FrameType | None) -> None:
    """Do nothing; unlike SIG_IGN, a handler is not inherited by the processes that are started meanwhile."""
