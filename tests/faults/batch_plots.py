"""What schedules with batches are about."""

from __future__ import annotations

from typing import Any

from tests.faults.plot import Plot

_BESIDE: dict[str, Any] = {"batches": 1.0, "acts": ("ask",), "most_acts": 2, "hows": ("submit",), "operators": (0, 1)}
"""Batches beside a few tasks."""
BATCHES: tuple[tuple[int, Plot], ...] = (
    (3, Plot("batches", **_BESIDE, switched=0.5)),
    (
        2,
        Plot(
            "dying parts",
            **_BESIDE,
            most_receives=(1, 2),
            most_sweeps=8,
            sweeps_pause=(20.0, 300.0),
            storms=(3600.0,),
            batch_haste=40.0,
            forced={"killed": (0.05,)},
        ),
    ),
    (
        2,
        Plot(
            "cancelled and retried",
            **_BESIDE,
            batch_acts=("cancel", "cancel", "retry", "retry", "read"),
            most_batch_acts=8,
            failing_rows=0.3,
            twins=0.6,
            mended=1.0,
        ),
    ),
    (
        1,
        Plot(
            "late parts",
            **_BESIDE,
            pollers=(2, 3),
            batch_acts=("cancel", "retry", "retry", "read"),
            batch_haste=30.0,
            storms=(3600.0,),
            forced={"model_seconds": (4, 10), "duplicated": (0.5,)},
        ),
    ),
    (
        2,
        Plot(
            "retried at once",
            **_BESIDE,
            pollers=(3,),
            windows=(4,),
            most_rows=(30,),
            keyed=0.0,
            batch_acts=("cancel", "retry"),
            most_batch_acts=30,
            batch_haste=2.0,
            storms=(3600.0,),
            forced={"model_seconds": (2, 4), "killed": (0.0,), "refused": (0.0,), "frozen": (0.0,)},
        ),
    ),
    (
        2,
        Plot(
            "splits that meet",
            **_BESIDE,
            pollers=(3,),
            windows=(1,),
            most_rows=(30,),
            failing_rows=0.3,
            mended=1.0,
            batch_acts=("submit", "cancel", "retry"),
            most_batch_acts=30,
            batch_haste=20.0,
            storms=(3600.0,),
            forced={
                "aim": ("Query",),
                "frozen": (0.6,),
                "thawed": (0.0,),
                "model_seconds": (4,),
                "duplicated": (0.5,),
                "killed": (0.0,),
                "refused": (0.0,),
                "answer_lost": (0.0,),
            },
        ),
    ),
    (
        2,
        Plot(
            "cancellations that break off",
            **_BESIDE,
            workers_begin=(300.0, 900.0),
            batch_acts=("cancel", "retry"),
            most_batch_acts=12,
            batch_haste=30.0,
            storms=(3600.0,),
            forced={"aim": ("UpdateItem",), "killed": (0.3,)},
        ),
    ),
)
