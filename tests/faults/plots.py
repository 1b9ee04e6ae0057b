"""What a schedule is about: some are about everything, others bring together what seldom meets by chance."""

from __future__ import annotations

import random

from tests.faults.batch_plots import BATCHES
from tests.faults.callback_plots import CALLBACKS
from tests.faults.plot import Plot

_LETTERS = Plot(
    "letters",
    acts=("ask", "ask", "again", "repeat", "cancel", "read"),
    hows=("submit",),
    cursed=0.4,
    exploding=0.2,
    most_receives=(2,),
    operators=(1, 2, 2),
    most_sweeps=4,
    forced={"killed": (0.04,), "model_seconds": (0, 0, 5)},
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
            forced={"model_seconds": (10, 20), "duplicated": (0.5,), "killed": (0.0,)},
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
            forced={"killed": (0.08,)},
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
            forced={"killed": (0.02,)},
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
            forced={"model_seconds": (2, 20)},
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
            forced={"model_seconds": (0, 5, 20)},
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
            losing=0.0,
            is_calm=True,
        ),
    ),
    (1, Plot("lists", acts=("ask", "ask", "list"), most_acts=6, haste=2.0, keyed=0.1, forced={"page": (2,)})),
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
        3,
        Plot(
            "releases",
            acts=("ask",),
            most_acts=6,
            hows=("submit", "predict"),
            haste=15.0,
            own_features=0.5,
            cursed=0.0,
            switched=0.8,
            losing=1.0,
            is_calm=True,
        ),
    ),
    (
        3,
        Plot("poison", acts=("ask", "read"), hows=("submit",), cursed=0.0, poisoned=1.0, most_poison=8),
    ),
    *BATCHES,
    *CALLBACKS,
    (
        1,
        Plot(
            "backlog",
            most_acts=4,
            hows=("submit",),
            haste=1.0,
            cursed=0.0,
            high_workers_begin=(20, 90),
            forced={"killed": (0.03,)},
        ),
    ),
)


def draw_plot(rng: random.Random) -> Plot:
    """Return the plot of a schedule."""
    weights = [weight for weight, _ in _PLOTS]
    return rng.choices([plot for _, plot in _PLOTS], weights)[0]
