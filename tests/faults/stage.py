"""A world in some weather with one actor, for tests of the simulation itself."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from tests.faults.scheduler import Environment
from tests.faults.virtual import simulated
from tests.faults.weather import Weather
from tests.faults.world import World


class Stage:
    """A world in some weather, with one actor in a process."""

    def __init__(self, weather: Weather | None = None) -> None:
        self.world = World(random.Random(1))
        self.world.calls.weather = weather or Weather(lag=0.0)
        self.environment = Environment("test")
        self.findings = self.world.witness.findings

    def play(self, act: Callable[[], None], seconds: float = math.inf) -> None:
        scheduler = self.world.scheduler

        def body() -> None:
            with scheduler.process(self.environment, seconds):
                act()

        with simulated(self.world):
            scheduler.start("actor", body)
            try:
                scheduler.run()
            finally:
                scheduler.close()

    def call(self, what: str = "table") -> str:
        return self.world.calls(what, "a call", lambda: "answer")
