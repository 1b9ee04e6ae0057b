"""Whatever one message raises concerns that message alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from matchcast.errors import MatchcastError, RequestRefused, UnexpectedFault

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def faults_named() -> Iterator[None]:
    """Raise what is no error of the product inside the block as an UnexpectedFault."""
    try:
        yield
    except MatchcastError:
        raise
    except Exception as error:
        raise UnexpectedFault(f"{type(error).__name__}: {error}"[:500]) from error


def apart(call: Callable[[Sequence[T]], Sequence[R | MatchcastError]], items: Sequence[T]) -> list[R | MatchcastError]:
    """Return what a call makes of items, one result each; items that make it fail get the error in its place.

    A refused request or an unexpected fault may be the work of one item, so then each item is tried alone. Every
    other error of the product says itself that it concerns all of them, and is raised.
    """
    try:
        with faults_named():
            return list(call(items))
    except (RequestRefused, UnexpectedFault) as error:
        if len(items) == 1:
            return [error]
    return [result for item in items for result in apart(call, [item])]
