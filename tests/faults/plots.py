"""What a schedule is about: some are about everything, others bring together what seldom meets by chance."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from tests.faults.weather import Weather

_ANYTHING = ("ask", "ask", "read", "list", "cancel", "again", "repeat", "repeat")


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
    killed: float | None = None
    model_seconds: tuple[float, ...] | None = None
    duplicated: float | None = None
    keen: float = 0.5
    """Share of the operators who see every letter as it comes."""
    is_calm: bool = False
    page: int | None = None

    def weather(self, rng: random.Random) -> Weather:
        """Return the weather of a schedule."""
        drawn = Weather.draw(rng)
        if self.is_calm:
            drawn = Weather(lag=drawn.lag, page=drawn.page)
        if self.killed is not None:
            drawn = replace(drawn, killed=self.killed)
        if self.duplicated is not None:
            drawn = replace(drawn, duplicated=self.duplicated)
        if self.model_seconds is not None:
            drawn = replace(drawn, model_seconds=rng.choice(self.model_seconds))
        return replace(drawn, page=self.page or drawn.page)


_LETTERS = Plot(
    "letters",
    acts=("ask", "ask", "again", "repeat", "cancel", "read"),
    hows=("submit",),
    cursed=0.4,
    exploding=0.2,
    most_receives=(2,),
    operators=(1, 2, 2),
    most_sweeps=4,
    killed=0.04,
    model_seconds=(0, 0, 5),
)
_PLOTS: tuple[tuple[int, Plot], ...] = (
    (8, Plot()),
    (2, _LETTERS),
    (
        3,
        Plot(
            "late results",
            acts=("ask",),
            hows=("submit",),
            cursed=0.4,
            exploding=0.4,
            operators=(1, 2),
            keen=1.0,
            pollers=(3,),
            model_seconds=(10, 20),
            duplicated=0.5,
            killed=0.0,
        ),
    ),
    (
        4,
        Plot(
            "dying workers",
            acts=("ask", "ask", "ask", "cancel"),
            hows=("submit",),
            hurried=0.0,
            most_receives=(1,),
            operators=(1, 2),
            keen=1.0,
            operators_pause=300.0,
            most_commands=8,
            most_sweeps=8,
            sweeps_pause=(50.0, 300.0),
            storms=(3600.0,),
            killed=0.08,
        ),
    ),
    (
        3,
        Plot(
            "two operators",
            acts=("ask",),
            hows=("submit",),
            hurried=0.0,
            cursed=1.0,
            own_features=0.0,
            most_receives=(1,),
            operators=(2,),
            keen=1.0,
            operators_pause=30.0,
            letter_seconds=(0.0, 70.0, 200.0),
            most_commands=20,
            mended=0.0,
            discarded=0.5,
            is_calm=True,
            cut_off=0.7,
            killed=0.02,
        ),
    ),
    (
        6,
        Plot(
            "retries",
            acts=("ask", "again", "again", "repeat", "repeat", "repeat"),
            most_acts=6,
            hows=("submit",),
            haste=8.0,
            keyed=1.0,
            cursed=0.5,
            exploding=0.4,
            operators=(1, 2),
            keen=0.0,
            operators_pause=15.0,
            most_commands=8,
            mended=1.0,
        ),
    ),
    (
        2,
        Plot(
            "waiting",
            acts=("ask", "ask", "repeat", "cancel"),
            hows=("wait",),
            keyed=1.0,
            twins=0.8,
            own_features=0.9,
            cursed=0.0,
            model_seconds=(2, 20),
        ),
    ),
    (
        2,
        Plot(
            "expiry",
            acts=("ask", "read", "read", "list"),
            most_acts=4,
            hows=("submit",),
            hurried=0.9,
            cursed=0.0,
            workers_begin=(0, 30),
            model_seconds=(0, 5, 20),
        ),
    ),
    (2, Plot("keys", acts=("ask", "repeat", "repeat", "read"), haste=30.0, keyed=1.0, lifetime=60.0)),
    (
        3,
        Plot(
            "limit",
            acts=("ask",),
            most_acts=7,
            hows=("submit",),
            haste=20.0,
            keyed=0.0,
            hurried=0.0,
            most_open=3,
            workers_begin=(150, 250),
            is_calm=True,
        ),
    ),
    (1, Plot("lists", acts=("ask", "ask", "list"), most_acts=6, haste=2.0, keyed=0.1, page=2)),
    (
        1,
        Plot(
            "cache",
            acts=("ask",),
            most_acts=6,
            hows=("predict",),
            haste=20.0,
            own_features=0.0,
            cursed=0.0,
            switched=1.0,
        ),
    ),
    (
        1,
        Plot("backlog", most_acts=4, hows=("submit",), haste=1.0, cursed=0.0, high_workers_begin=(20, 90), killed=0.03),
    ),
)


def draw_plot(rng: random.Random) -> Plot:
    """Return the plot of a schedule."""
    weights = [weight for weight, _ in _PLOTS]
    return rng.choices([plot for _, plot in _PLOTS], weights)[0]
