"""Every external call: where others go on, processes die, and faults come and pass."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from matchcast.errors import ModelUnavailable, QueueUnavailable, StorageUnavailable, Transient
from tests.faults.scheduler import Killed, Scheduler

T = TypeVar("T")
ERRORS: dict[str, type[Transient]] = {"table": StorageUnavailable, "queue": QueueUnavailable, "model": ModelUnavailable}
_RATES = (0.0, 0.0, 0.01, 0.03, 0.06)


@dataclass(frozen=True)
class Outage:
    """A part of the outside that is out of reach for a while."""

    what: str
    begins: float
    ends: float


@dataclass(frozen=True)
class Weather:
    """How often what goes wrong: shares of all calls, and outages. Every schedule has its own."""

    killed: float = 0.0
    refused: float = 0.0
    answer_lost: float = 0.0
    repeated: float = 0.0
    stalled: float = 0.0
    frozen: float = 0.0
    duplicated: float = 0.0
    model_flaky: float = 0.0
    model_seconds: float = 0.0
    outages: tuple[Outage, ...] = ()

    @classmethod
    def draw(cls, rng: random.Random) -> Weather:
        """Return the weather of a schedule."""
        outages = tuple(
            Outage(rng.choice(tuple(ERRORS)), begins, begins + rng.choice((5, 60, 600)))
            for begins in (rng.uniform(0, 200) for _ in range(rng.choice((0, 0, 1, 2))))
        )
        return cls(
            killed=rng.choice(_RATES),
            refused=rng.choice(_RATES),
            answer_lost=rng.choice(_RATES),
            repeated=rng.choice(_RATES),
            stalled=rng.choice(_RATES),
            frozen=rng.choice((0, 0.01, 0.05)),
            duplicated=rng.choice((0, 0.1, 0.5)),
            model_flaky=rng.choice((0, 0, 0.2, 0.6)),
            model_seconds=rng.choice((0, 1, 5, 20)),
            outages=outages,
        )


class Calls:
    """Runs external calls in a schedule."""

    def __init__(self, scheduler: Scheduler, rng: random.Random, weather: Weather) -> None:
        self.weather = weather
        self.trace: list[str] | None = None
        self._scheduler = scheduler
        self._rng = rng

    def __call__(self, what: str, name: str, act: Callable[[], T], *, writes: bool = True) -> T:
        """Let others go on, then make the call, or not, or twice, or die before or after it."""
        weather, draw = self.weather, self._rng.random
        self._scheduler.pause(self._delay(what))
        actor = self._scheduler.current
        assert actor is not None
        if actor.killed_at is None:
            return self._done(name, act())
        if self._scheduler.now > actor.killed_at:
            self._note(f"{name}: killed, it took too long")
            raise Killed
        if draw() < weather.killed:
            self._note(f"{name}: killed before it")
            raise Killed
        if draw() < weather.refused or self._is_out(what) or (what == "model" and draw() < weather.model_flaky):
            self._note(f"{name}: out of reach")
            raise ERRORS[what](f"no {name}")
        result = self._done(name, act())
        if writes and draw() < weather.repeated:
            result = self._done(f"{name}, sent again by the SDK", act())
        if draw() < weather.answer_lost:
            self._note(f"{name}: done, but its answer got lost")
            raise ERRORS[what](f"no answer to {name}")
        if draw() < weather.killed:
            self._note(f"{name}: killed after it")
            raise Killed
        return result

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        self._note(text)

    def _delay(self, what: str) -> float:
        if what == "model" and self.weather.model_seconds:
            return self._rng.expovariate(1 / self.weather.model_seconds)
        chance = self._rng.random()
        if chance < self.weather.frozen:
            return self._rng.uniform(5, 70)
        if chance < self.weather.frozen + self.weather.stalled:
            return self._rng.uniform(0.1, 5)
        return 0.0

    def _is_out(self, what: str) -> bool:
        return any(
            outage.what == what and outage.begins <= self._scheduler.now < outage.ends
            for outage in self.weather.outages
        )

    def _done(self, name: str, result: T) -> T:
        if self.trace is not None:
            self._note(f"{name} -> {shown(result)}")
        return result

    def _note(self, text: str) -> None:
        if self.trace is not None:
            actor = self._scheduler.current
            self.trace.append(f"{self._scheduler.now:9.2f} s  {actor.name if actor else '-':12} {text}")


def shown(result: object) -> str:
    """Return the answer to a call in a few words."""
    if isinstance(result, dict):
        return ", ".join(shown(value) for value in result.values()) or "nothing"
    status = getattr(result, "status", None)
    if status is not None:
        return f"{status} in generation {getattr(result, 'generation', '?')}"
    return str(result) if isinstance(result, (bool, int)) else type(result).__name__
