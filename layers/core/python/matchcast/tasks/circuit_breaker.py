"""A circuit breaker for each cause: after several failures in a row it rests, then is tried once before it goes on.

It keeps a broken stage or table from draining a queue into its dead letters: while its circuit is open, no task loses
an attempt. The causes are the tasks table and each stage, and none of them holds up another. The data bucket is no
cause of its own: a stage whose model is loaded goes on without it, and one that cannot load its model says why.
Each environment has its own, because the environment itself may be what is broken.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from matchcast.errors import MatchcastError, ModelCrashed, ModelTooSlow

FAILURES_TO_OPEN = 5
REST_SECONDS = 30.0
LONGEST_REST_SECONDS = 240.0
MOST_CIRCUITS = 64
"""Stages come out of messages; where no manifest can be read, nobody knows which of them exist."""
_SOONER: dict[type[MatchcastError], int] = {ModelTooSlow: 1, ModelCrashed: 2}
"""What holds up others is not tried five times: a slow model takes their time, and one that starts again their CPU."""
TABLE = "table"

Report = Callable[[str, MatchcastError | None], None]
"""Is called with a cause when its circuit opens, and why, and with None when it closes."""


def stage_cause(stage: str) -> str:
    """Return the cause that stands for a stage."""
    return f"stage:{stage}"


def report_nothing(cause: str, problem: MatchcastError | None) -> None:
    """Report a circuit nowhere (a `Report`)."""


@dataclass
class _Circuit:
    problem: MatchcastError
    failures: int = 0
    rest_seconds: float = 0.0
    opened_at: float | None = None


class CircuitBreaker:
    """A circuit for each cause: closed while things go well, open after `failures_to_open` failures in a row."""

    def __init__(
        self,
        failures_to_open: int = FAILURES_TO_OPEN,
        rest_seconds: float = REST_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        report: Report = report_nothing,
    ) -> None:
        self._failures_to_open = failures_to_open
        self._rest_seconds = rest_seconds
        self._monotonic = monotonic
        self._report = report
        self._circuits: dict[str, _Circuit] = {}
        self._lock = threading.Lock()

    def is_open(self, cause: str) -> bool:
        """Return whether a cause is known to be broken, so that a failure is not the task's."""
        circuit = self._circuits.get(cause)
        return circuit is not None and circuit.opened_at is not None

    def refusal(self, cause: str) -> MatchcastError | None:
        """Return why not to try a cause now, which is its last failure; None: try it.

        A closed circuit lets everything through, an open one one try for each rest. Each rest is longer than the last.
        """
        with self._lock:
            circuit = self._circuits.get(cause)
            if circuit is None or circuit.opened_at is None:
                return None
            if self._monotonic() - circuit.opened_at < circuit.rest_seconds:
                return circuit.problem
            circuit.opened_at = self._monotonic()
            circuit.rest_seconds = min(2 * circuit.rest_seconds, LONGEST_REST_SECONDS)
            return None

    def record(self, cause: str, problem: MatchcastError | None) -> None:
        """Record the outcome of a try; None is a success. What `_SOONER` names opens a circuit after fewer failures."""
        with self._lock:
            changed = self._close(cause) if problem is None else self._fail(cause, problem)
        if changed:
            self._report(cause, problem)

    def _close(self, cause: str) -> bool:
        circuit = self._circuits.pop(cause, None)
        return circuit is not None and circuit.opened_at is not None

    def _fail(self, cause: str, problem: MatchcastError) -> bool:
        if cause not in self._circuits and len(self._circuits) >= MOST_CIRCUITS:
            del self._circuits[next(iter(self._circuits))]
        circuit = self._circuits.setdefault(cause, _Circuit(problem))
        circuit.problem, circuit.failures = problem, circuit.failures + 1
        needed = _SOONER.get(type(problem), self._failures_to_open)
        if circuit.opened_at is not None or circuit.failures < needed:
            return False
        circuit.opened_at, circuit.rest_seconds = self._monotonic(), self._rest_seconds
        return True
