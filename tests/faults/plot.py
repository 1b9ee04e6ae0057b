"""What a schedule may be about: how its clients, workers and operators behave."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.faults.weather import Weather

_ANYTHING = ("ask", "ask", "read", "list", "cancel", "again", "repeat", "repeat")
_ANY_BATCH_ACTS = ("read", "read", "list", "cancel", "retry", "retry", "repeat", "submit")
_ANY_CALLBACK_ACTS = ("rotate", "end", "replay", "range", "enable", "look", "look", "stray")
_ANY_RECEIVERS = ("works", "works", "works", "fails", "hangs", "shuts", "takes and fails", "is gone", "leads inside")


@dataclass(frozen=True)
class Plot:
    """How clients, workers and operators behave; times are in seconds, pairs are the least and the most."""

    name: str = "anything"
    acts: tuple[str, ...] = _ANYTHING
    most_acts: int = 3
    hows: tuple[str, ...] = ("submit", "submit", "submit", "ask", "wait", "predict")
    haste: float = 4.0
    """Mean time between two acts of a client."""
    keyed: float = 0.6
    """Share of the requests with a key."""
    twins: float = 0.3
    """Share of the keyed requests that two clients send at the same time."""
    own_features: float = 0.35
    cursed: float = 0.1
    exploding: float = 0.03
    hurried: float = 0.2
    """Share of the submissions that have to start soon."""
    lifetime: float = 86_400.0
    most_open: int = 10_000
    pollers: tuple[int, ...] = (1, 1, 2)
    """How many receive from each lane at the same time."""
    high_workers_begin: tuple[float, float] = (0.0, 0.0)
    workers_begin: tuple[float, float] = (0.0, 0.0)
    most_receives: tuple[int, ...] = (2, 3, 20)
    operators: tuple[int, ...] = (0, 1, 1)
    operators_pause: float = 40.0
    """Mean time between two commands of an operator."""
    letter_seconds: tuple[float, ...] = (0.0,)
    """How long an operator thinks about each letter, one of these."""
    cut_off: float = 0.0
    """Share of the letters in the middle of which a command is killed."""
    discarded: float = 0.25
    """Share of the commands that discard letters."""
    most_commands: int = 5
    most_sweeps: int = 1
    sweeps_pause: tuple[float, float] = (5.0, 120.0)
    storms: tuple[float, ...] = (60.0, 300.0, 3600.0)
    """How long things go wrong, one of these."""
    mended: float = 0.5
    switched: float = 0.3
    poisoned: float = 0.2
    most_poison: int = 2
    losing: float = 0.1
    """Share of the stormy schedules in which an object of the bucket is gone or damaged for a while."""
    batches: float = 0.12
    """Share of the schedules with batches."""
    batch_acts: tuple[str, ...] = _ANY_BATCH_ACTS
    most_batch_acts: int = 5
    batch_haste: float = 8.0
    """Mean time between two acts of a client of batches."""
    most_rows: tuple[int, ...] = (8, 12, 30)
    """How many rows a batch has at most, one of these."""
    windows: tuple[int, ...] = (1, 2, 4)
    """How many parts of a batch are in the lane at once, one of these."""
    failing_rows: float = 0.08
    """Share of the rows of batches for which the model fails."""
    callbacks: float = 0.03
    """Share of the schedules with callbacks."""
    called_back: float = 0.6
    """Share of the tasks and batches that call back, once their tenant has a secret."""
    callback_acts: tuple[str, ...] = _ANY_CALLBACK_ACTS
    most_callback_acts: int = 3
    callback_haste: float = 30.0
    """Mean time between two acts of who sees to the callbacks of a tenant."""
    receivers: tuple[str, ...] = _ANY_RECEIVERS
    receivers_down: tuple[float, ...] = (60.0, 900.0, 7200.0)
    """Until when receivers are down at most, one of these."""
    stream_begins: tuple[float, float] = (0.0, 0.0)
    """When the stream begins to be read."""
    days: bool = False
    """Whether clients come back for days, and replay all in the end."""
    keen: float = 0.5
    """Share of the operators who see every letter as it comes."""
    is_calm: bool = False
    forced: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """What of the weather is one of these, whatever is drawn for it."""

    def weather(self, rng: random.Random) -> Weather:
        """Return the weather of a schedule."""
        drawn = Weather.draw(rng)
        if self.is_calm:
            drawn = Weather(lag=drawn.lag, page=drawn.page)
        return replace(drawn, **{name: rng.choice(values) for name, values in self.forced.items()})
