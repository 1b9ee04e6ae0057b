"""What goes wrong in a schedule, and how often; drawn anew for every schedule."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

PARTS = ("table", "queue", "bucket", "inference")
_RATES = (0.0, 0.0, 0.02, 0.05, 0.15)
_CALM_SCHEDULES = 0.2


@dataclass(frozen=True)
class Outage:
    """A part of the outside that is out of reach for a while."""

    what: str
    begins: float
    ends: float


@dataclass(frozen=True)
class Weather:
    """How often what goes wrong: shares of all calls (or messages, or keys), lengths in seconds, and outages."""

    aim: str = ""
    """The operation at which processes are killed, stop or are late; at any, where it is empty."""
    killed: float = 0.0
    """Calls that are the last ones of their process, before or after they took effect."""
    refused: float = 0.0
    """Calls without effect: no connection, a throttle, or an error of the service."""
    answer_lost: float = 0.0
    """Calls that took effect and whose answer never comes, or says that they failed."""
    stalled: float = 0.0
    """Calls that take up to some seconds."""
    frozen: float = 0.0
    """Calls at which a process stops for a minute or longer, and then goes on or is killed."""
    thawed: float = 0.0
    """Frozen processes whose time does not count, so that they go on much later."""
    clock_jumps: float = 0.0
    """Calls after which the clock of their process is wrong by another amount."""
    duplicated: float = 0.0
    """Messages that come twice."""
    unprocessed: float = 0.0
    """Batch reads that leave some keys out, and say so; batch deletes that leave some messages."""
    undeleted: float = 0.0
    """Messages that the poller could not delete although they were done."""
    lag: float = 1.0
    """By how many seconds the index and reads that are not consistent may be behind."""
    page: int = 1000
    """How many items one page of a query holds at most."""
    model_seconds: float = 0.0
    outages: tuple[Outage, ...] = ()

    @property
    def is_calm(self) -> bool:
        """Return whether nothing goes wrong at all."""
        return self == Weather(lag=self.lag, page=self.page)

    def at(self, operation: str) -> Weather:
        """Return what a call meets."""
        return self if operation.startswith(self.aim) else replace(self, killed=0.0, frozen=0.0, stalled=0.0)

    @classmethod
    def draw(cls, rng: random.Random) -> Weather:
        """Return the weather of a schedule."""
        lag, page = rng.choice((0.0, 0.3, 2.0)), rng.choice((1, 2, 1000))
        if rng.random() < _CALM_SCHEDULES:
            return cls(lag=lag, page=page)
        outages = tuple(
            Outage(rng.choice(PARTS), begins, begins + rng.choice((5, 60, 600)))
            for begins in (rng.uniform(-5, 100) for _ in range(rng.choice((0, 0, 1, 2))))
        )
        return cls(
            killed=rng.choice((0, 0, 0.01, 0.03)),
            refused=rng.choice(_RATES),
            answer_lost=rng.choice(_RATES),
            stalled=rng.choice((0, 0.03, 0.1)),
            frozen=rng.choice((0, 0, 0.01, 0.05)),
            thawed=rng.choice((0, 0.5)),
            clock_jumps=rng.choice((0, 0.02)),
            duplicated=rng.choice((0, 0.1, 0.5)),
            unprocessed=rng.choice((0, 0.2, 0.5)),
            undeleted=rng.choice((0, 0.1, 0.3)),
            lag=lag,
            page=page,
            model_seconds=rng.choice((0, 0, 1, 20)),
            outages=outages,
        )
