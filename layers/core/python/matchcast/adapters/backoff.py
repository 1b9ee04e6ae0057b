"""Waits between the tries of one call, for a table that is busy."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

PATIENCE_SECONDS = 5.0
"""How long the tries of a call take in all: every function has more time than this."""
_FIRST_SECONDS = 0.05
_LONGEST_SECONDS = 1.0


class Backoff:
    """Waits with full jitter, each time up to twice as long: calls that were refused together do not come back so."""

    def __init__(
        self, sleep: Callable[[float], None] = time.sleep, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._sleep = sleep
        self._monotonic = monotonic
        self._give_up = monotonic() + PATIENCE_SECONDS
        self._longest = _FIRST_SECONDS

    def wait(self) -> bool:
        """Wait before the next try; False, at once, where there would be no time for it."""
        seconds = random.uniform(0, self._longest)  # noqa: S311 - no secret
        if self._monotonic() + seconds >= self._give_up:
            return False
        self._longest = min(2 * self._longest, _LONGEST_SECONDS)
        self._sleep(seconds)
        return True
