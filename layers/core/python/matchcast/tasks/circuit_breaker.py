"""A circuit breaker: after several failures in a row the service rests, then tries once before it goes on.

It keeps a broken model or table from draining a queue into its dead letters: while it is open, no task loses an
attempt. Each environment has its own, because the environment itself may be what is broken.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FAILURES_TO_OPEN = 5
REST_SECONDS = 30.0


class CircuitBreaker:
    """Closed while things go well, open after `failures_to_open` failures in a row."""

    def __init__(
        self,
        failures_to_open: int = FAILURES_TO_OPEN,
        rest_seconds: float = REST_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures_to_open = failures_to_open
        self._rest_seconds = rest_seconds
        self._monotonic = monotonic
        self._failures = 0
        self._opened_at = 0.0
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Return whether the service is known to be broken, so that a failure is not the task's."""
        return self._failures >= self._failures_to_open

    def allows(self) -> bool:
        """Return whether to try: always while closed, once for each rest while open."""
        with self._lock:
            if not self.is_open:
                return True
            if self._monotonic() - self._opened_at < self._rest_seconds:
                return False
            self._opened_at = self._monotonic()
            return True

    def record(self, *, success: bool) -> None:
        """Record the outcome of a try."""
        with self._lock:
            if success:
                self._failures = 0
                return
            self._failures += 1
            if self._failures == self._failures_to_open:
                self._opened_at = self._monotonic()
