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


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Let signals interrupt the block as `interrupt_by_signals` does, and do what they did before after it."""
    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    interrupt_by_signals()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def was_interrupted() -> bool:
    """Return whether a signal came; a library may have turned the KeyboardInterrupt into an error of its own."""
    return bool(_came)


def interrupted_status() -> int:
    """Return the exit status of a command that a signal has ended, as shells have it: 130 for Ctrl-C."""
    return 128 + (_came[0] if _came else signal.SIGINT)


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
