"""When an attempt is made, and when the sweep looks after a delivery that may have lost its message.

An attempt that is due within fifteen minutes has a delayed message on its way; the sweep looks two minutes after the
attempt should have begun. A later one has none: the sweep finds it five minutes before, and sends it with the rest as
its delay. So waiting costs nothing but a record.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

from matchcast.domain.webhook import SCHEDULE_SECONDS

MOST_ATTEMPTS = len(SCHEDULE_SECONDS)
"""Of one series."""
MOST_DELAY_SECONDS = 900
"""How long SQS delays a message at most."""
GRACE = timedelta(seconds=120)
"""After which the worker of an attempt is dead, whatever it did."""
SWEEP_INTERVAL = timedelta(minutes=5)
JITTER = 1.1
_LONGEST_DELAY_SECONDS = 86_400

Uniform = Callable[[float, float], float]
"""Returns a random number between two others, such as `random.uniform`."""


def delay_seconds(tried: int, uniform: Uniform, retry_after: float | None = None) -> int | None:
    """Return after how many whole seconds the attempt is made that follows `tried` others; None: there is none.

    What the receiver asks for counts where it is longer than the schedule, up to a day.
    """
    if tried >= MOST_ATTEMPTS:
        return None
    seconds = int(SCHEDULE_SECONDS[tried] * uniform(1, JITTER))
    return seconds if retry_after is None else max(seconds, math.ceil(min(_LONGEST_DELAY_SECONDS, retry_after)))


def look_at(next_attempt_at: datetime, seconds: int) -> datetime:
    """Return when the sweep looks after an attempt that is due after some seconds."""
    return next_attempt_at + GRACE if seconds <= MOST_DELAY_SECONDS else next_attempt_at - SWEEP_INTERVAL
