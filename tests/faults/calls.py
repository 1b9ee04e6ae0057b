"""Every external call: where others go on, processes die, and faults come and pass."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from matchcast.adapters.abandoned_calls import running
from tests.faults.scheduler import Environment, Killed, Scheduler
from tests.faults.weather import Weather

T = TypeVar("T")
READ_SECONDS = 5.0
OBJECT_SECONDS = 4.0
CONNECT_SECONDS = 2.0


class Unanswered(Exception):
    """A call without an answer; `is_done` if it took effect all the same."""

    def __init__(self, *, is_done: bool) -> None:
        super().__init__("it took effect, its answer got lost" if is_done else "out of reach")
        self.is_done = is_done


class Calls:
    """Runs external calls in a schedule."""

    def __init__(self, scheduler: Scheduler, rng: random.Random, weather: Weather) -> None:
        self.weather = weather
        self.trace: list[str] | None = None
        self.trouble_at = float("-inf")
        """When something last went wrong anywhere."""
        self.stalled_until = float("-inf")
        """Until when a call last took long, which is no fault and may cost a request its time."""
        self.denied_at = float("-inf")
        """When an access was last denied: a defect, which is answered with a 500."""
        self._scheduler = scheduler
        self._rng = rng

    def __call__(self, what: str, name: str, act: Callable[[], T], seconds: float = 0.0) -> T:
        """Let others go on, then make the call, or not, or lose its answer, or die before or after it.

        Raises
        ------
        Unanswered
            If the caller gets no answer.
        """
        weather, draw = self.weather.at(name), self._rng.random
        actor = self._scheduler.me()
        environment = actor.environment
        if environment is None:
            raise Killed  # what code would still do after its process has ended
        self._end_if_dead(environment)
        self._scheduler.pause(seconds + self._delay(weather))
        if environment.is_dead or self._scheduler.now > actor.killed_at:
            self._kill(environment, f"{name}: killed, it took too long")
        environment.calls_left -= 1
        if draw() < weather.killed or environment.calls_left < 0:
            self._kill(environment, f"{name}: killed before it")
        if draw() < weather.clock_jumps:
            environment.clock_error = self._scheduler.a_clock_error()
        waited_for = running.get()
        if waited_for is not None and waited_for._is_abandoned:
            raise Unanswered(is_done=False)  # its connection was cut
        if draw() < weather.refused or self._is_out(what):
            self.trouble(f"{name}: out of reach")
            raise Unanswered(is_done=False)
        result = act()
        if self.trace is not None:
            self.note(f"{name} -> {shown(result)}")
        if draw() < weather.answer_lost:
            self.trouble(f"{name}: done, but its answer got lost")
            raise Unanswered(is_done=True)
        if draw() < weather.killed:
            self._kill(environment, f"{name}: killed after it")
        return result

    def trouble(self, text: str, seconds: float = 0.0) -> None:
        """Note that something goes wrong in the calling process, from now on for some seconds."""
        environment = self._scheduler.me().environment
        self.trouble_at = max(self.trouble_at, self._scheduler.now + seconds)
        if environment is not None:
            environment.trouble_at = max(environment.trouble_at, self._scheduler.now + seconds)
        self.note(text)

    def _end_if_dead(self, environment: Environment) -> None:
        """End what a process would still do on its way out."""
        if environment.is_dead:
            raise Killed

    def _kill(self, environment: Environment, text: str) -> NoReturn:
        self.trouble(text)
        environment.is_dead = True
        raise Killed

    def think(self) -> None:
        """Let the model take its time."""
        if self.weather.model_seconds:
            seconds = self._rng.expovariate(1 / self.weather.model_seconds)
            self.trouble(f"the model takes {seconds:.1f} s", seconds)
            self._scheduler.pause(seconds)

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        if self.trace is not None:
            actor = self._scheduler.current
            self.trace.append(f"{self._scheduler.now:9.2f} s  {actor.name if actor else '-':14} {text}")

    def _delay(self, weather: Weather) -> float:
        draw = self._rng.random()
        if draw < weather.frozen:
            return self._freeze()
        if draw < weather.frozen + weather.stalled:
            seconds = self._rng.uniform(0.1, 4)
            self.stalled_until = max(self.stalled_until, self._scheduler.now + seconds)
            return seconds
        return 0.0

    def _freeze(self) -> float:
        """Stop the process for long; sometimes its time does not count, and it goes on whatever has passed."""
        actor, seconds = self._scheduler.me(), self._rng.uniform(20, 70)
        if self._rng.random() < self.weather.thawed:
            seconds = self._rng.uniform(60, 1200)
            actor.killed_at += seconds
        self.trouble(f"stops for {seconds:.0f} s", seconds)
        return seconds

    def _is_out(self, what: str) -> bool:
        now = self._scheduler.now
        return any(outage.what == what and outage.begins <= now < outage.ends for outage in self.weather.outages)


def shown(result: Any) -> str:
    """Return the answer to a call in a few words."""
    if isinstance(result, dict):
        return ", ".join(f"{name} {shown(value)}" for name, value in result.items()) or "done"
    if isinstance(result, list):
        return f"({'; '.join(map(shown, result))})"
    text = result if isinstance(result, (bool, int, str)) else type(result).__name__
    return str(text)[-40:]
