"""A circuit breaker whose clock tests move."""

from __future__ import annotations

from dataclasses import dataclass

from matchcast.errors import StorageUnavailable
from matchcast.tasks.circuit_breaker import FAILURES_TO_OPEN, CircuitBreaker, stage_cause


@dataclass
class Clock:
    """Seconds that tests move."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


CHAMPION = stage_cause("champion")
FAULT = StorageUnavailable("no answer")


def opened(clock: Clock, failures: int = FAILURES_TO_OPEN, cause: str = CHAMPION) -> CircuitBreaker:
    """Return a breaker after failures of a cause in a row."""
    breaker = CircuitBreaker(monotonic=clock)
    for _ in range(failures):
        breaker.record(cause, FAULT)
    return breaker
