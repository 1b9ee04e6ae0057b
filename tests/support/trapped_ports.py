"""Ports of which one call, counted over all of them, does not end well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Killed(BaseException):
    """The worker is gone: nothing that it still had in mind is done."""


class Harm(Enum):
    """What becomes of the call."""

    KILLED_BEFORE = "the worker dies before it"
    KILLED_AFTER = "the worker dies after it"
    OUTAGE = "it does not come through, nor do the next three"
    ANSWER_LOST = "it comes through, its answer does not"
    FAULT = "it raises what nobody expects"


@dataclass
class Trap:
    """Counts calls; the one with the number `at` comes to harm."""

    harm: Harm
    at: int
    calls: int = 0
    name: str = ""

    def call(self, name: str, error: Exception, call: Callable[[], Any]) -> Any:
        """Make a call, or let it come to harm. Sweeps that find nothing do not count."""
        span = 4 if self.harm is Harm.OUTAGE else 1
        if not self.at <= self.calls < self.at + span:
            result = call()
            self.calls += name != "due" or bool(result)
            return result
        self.calls, self.name = self.calls + 1, self.name or name
        if self.harm is Harm.FAULT:
            raise RuntimeError(name)
        if self.harm in (Harm.KILLED_AFTER, Harm.ANSWER_LOST):
            call()
        raise Killed if self.harm in (Harm.KILLED_BEFORE, Harm.KILLED_AFTER) else error


class Trapped:
    """A port whose calls go through a trap; `error` is what it raises where it does not answer."""

    def __init__(self, real: Any, trap: Trap, error: Exception) -> None:
        self.real = real
        self._trap = trap
        self._error = error

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.real, name)
        return lambda *args, **kwargs: self._trap.call(name, self._error, lambda: method(*args, **kwargs))
