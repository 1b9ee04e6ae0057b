"""Calls that wait for storage, a few at once and no more: what they return is held until it is taken."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(call: Callable[[T], R], items: Iterable[T], most: int) -> Iterator[R]:
    """Yield what a call makes of each item, in order, with at most `most` calls under way or not yet taken.

    What a call raises is raised in its place; the calls under way are then waited for.
    """
    with ThreadPoolExecutor(most, thread_name_prefix="ahead") as threads:
        waiting: deque[Future[R]] = deque()
        for item in items:
            if len(waiting) == most:
                yield waiting.popleft().result()
            waiting.append(threads.submit(call, item))
        while waiting:
            yield waiting.popleft().result()
