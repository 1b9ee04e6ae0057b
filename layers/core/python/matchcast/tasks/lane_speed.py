"""How long a task recently took in its lane, for a `Retry-After` that saves polls.

The worker publishes a smoothed time every few seconds; the functions that answer clients read it every few
seconds. It is advice: where nothing is known, or the table does not answer at once, it is one second.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from matchcast.deadline import briefly
from matchcast.domain.task import Priority
from matchcast.errors import Transient
from matchcast.ports import LaneSpeeds

_WEIGHT = 0.2
_EVERY_SECONDS = 5.0
_LONGEST_SECONDS = 300
_LOOK_SECONDS = 0.25


class LaneSpeed:
    """Observes and reports the time from submission to result, lane by lane."""

    def __init__(self, speeds: LaneSpeeds, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._speeds = speeds
        self._monotonic = monotonic
        self._smoothed: dict[Priority, float] = {}
        self._published_at: dict[Priority, float] = {}
        self._read: dict[Priority, tuple[float, float | None]] = {}

    def observe(self, lane: Priority, seconds: float) -> None:
        """Add one finished task, and publish the smoothed time every few seconds."""
        before = self._smoothed.get(lane, seconds)
        self._smoothed[lane] = before + _WEIGHT * (seconds - before)
        now = self._monotonic()
        if now - self._published_at.get(lane, -math.inf) < _EVERY_SECONDS:
            return
        self._published_at[lane] = now
        try:
            self._speeds.write(lane, self._smoothed[lane])
        except Transient:
            return

    def retry_after(self, lane: Priority) -> int:
        """Return after how many whole seconds a client should ask again."""
        now = self._monotonic()
        read_at, seconds = self._read.get(lane, (-math.inf, None))
        if now - read_at >= _EVERY_SECONDS:
            try:
                with briefly(_LOOK_SECONDS):
                    seconds = self._speeds.read(lane)
            except Transient:
                seconds = None
            self._read[lane] = (now, seconds)
        return min(_LONGEST_SECONDS, max(1, math.ceil(seconds or 1)))
