"""What schedules with callbacks are about."""

from __future__ import annotations

from typing import Any

from tests.faults.plot import Plot
from tests.faults.receivers import DAY, FAILING
from tests.faults.weather import Outage

_BESIDE: dict[str, Any] = {"callbacks": 1.0, "called_back": 0.9, "hows": ("submit",), "most_receives": (20,)}
_OUTAGES = tuple(
    (Outage(what, begins, begins + 300.0),) for what in ("queue", "webhooks", "webhooks", "key") for begins in (10, 60)
)
CALLBACKS: tuple[tuple[int, Plot], ...] = (
    (3, Plot("callbacks", **_BESIDE, batches=0.2, most_callback_acts=6)),
    (1, Plot("calm callbacks", **_BESIDE, acts=("ask",), receivers=("works", "works", *FAILING), is_calm=True)),
    (
        2,
        Plot(
            "receivers that are down for days",
            **_BESIDE,
            acts=("ask",),
            receivers=FAILING,
            receivers_down=(4 * DAY, 9 * DAY),
            days=True,
        ),
    ),
    (
        2,
        Plot(
            "dying deliveries",
            **_BESIDE,
            acts=("ask",),
            most_acts=5,
            pollers=(2, 3),
            receivers=("works", "works", *FAILING),
            receivers_down=(60.0, 900.0),
            storms=(3600.0,),
            forced={"killed": (0.05, 0.1), "duplicated": (0.5,)},
        ),
    ),
    (
        2,
        Plot(
            "replays that meet",
            **_BESIDE,
            acts=("ask", "ask", "cancel"),
            pollers=(3,),
            receivers=("works", *FAILING, "is gone"),
            receivers_down=(60.0, 900.0),
            callback_acts=("replay", "replay", "range", "rotate"),
            most_callback_acts=20,
            callback_haste=15.0,
            storms=(3600.0,),
            forced={"duplicated": (0.5,), "frozen": (0.1,), "thawed": (0.5,), "killed": (0.0,)},
        ),
    ),
    (
        1,
        Plot(
            "callbacks redriven",
            **_BESIDE,
            acts=("ask", "again"),
            cursed=0.6,
            exploding=0.2,
            operators=(1, 2),
            keen=1.0,
            operators_pause=20.0,
            mended=1.0,
        ),
    ),
    (
        1,
        Plot(
            "outages of callbacks",
            **_BESIDE,
            acts=("ask",),
            most_acts=8,
            stream_begins=(0.0, 120.0),
            forced={"outages": _OUTAGES, "duplicated": (0.0, 0.1), "unprocessed": (0.0, 0.5)},
        ),
    ),
)
