"""A limit of the memory that a library takes for what it reads: what a file says of its own size may be wrong."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

MOST_BYTES = 512 * 1024**2
"""How much a read may take beside what the process has: with that it stays below the memory of its function."""

T = TypeVar("T")
_STATUS = Path("/proc/self/statm")


@contextmanager
def limited_memory(most_bytes: int = MOST_BYTES) -> Iterator[None]:
    """Refuse the process more memory for a while; where it asks for more, a MemoryError is raised.

    The limit is that of the process (`RLIMIT_DATA`), so no processes are to be started within.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = _data_bytes() + most_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit if soft < 0 else min(soft, limit), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def next_in_limits(items: Iterator[T], most_bytes: int = MOST_BYTES) -> T | None:
    """Return the next item, or None; MemoryError where making it takes too much."""
    with limited_memory(most_bytes):
        return next(items, None)


def _data_bytes() -> int:
    """Return the size of the process's data and stacks."""
    return int(_STATUS.read_text().split()[5]) * resource.getpagesize()
