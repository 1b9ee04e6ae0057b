"""Virtual time, and one actor at a time: who goes on at each external call is drawn from a seed."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import BaseRouter

from tests.support.tasks import NOW

MOST_STEPS = 20_000
_GOES_ON = 0.3
_STEP_SECONDS = 0.03
_THREADS = ThreadPoolExecutor(128, thread_name_prefix="actor")


class Killed(BaseException):
    """The process in which an actor runs ends here; nothing can catch it, as nothing can catch SIGKILL."""


class Over(BaseException):
    """The schedule is over, and the actor's thread goes home."""


def _taken() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class Environment:
    """One process of a function (or of an operator's command): its parts, its clock, and what went wrong in it."""

    name: str
    api: Any = None
    """The resolver of an HTTP function."""
    made: dict[str, Any] = field(default_factory=dict)
    """What the composition root made for this process."""
    clock_error: float = 0.0
    """By how many seconds its clock is wrong."""
    trouble_at: float = -math.inf
    """When something last went wrong with one of its calls."""
    is_dead: bool = False
    calls_left: float = math.inf
    """After so many more calls it is killed."""
    read: set[str] = field(default_factory=set)
    """What it has read of releases."""


@dataclass(eq=False)
class Actor:
    """An actor with a thread of its own, which runs only while it holds the baton."""

    name: str
    wake_at: float
    baton: threading.Lock = field(default_factory=_taken)
    environment: Environment | None = None
    """The process that it is in; None outside of any process."""
    killed_at: float = math.inf
    """When its process is killed for being too slow."""
    is_idle: bool = False


class Scheduler:
    """Lets one actor run until its next external call, then draws who is next."""

    def __init__(self, rng: random.Random) -> None:
        self.now = 0.0
        self.clock_error = rng.choice((0.0, 0.05, 1.0))
        self.steps = 0
        self.current: Actor | None = None
        self.failure: BaseException | None = None
        self._rng = rng
        self._until = math.inf
        self._over = False
        self._home = _taken()
        self._actors: list[Actor] = []
        self._futures: list[Future[None]] = []

    def utc_now(self) -> datetime:
        """Return the virtual time by the clock of the calling actor's process, to the microsecond."""
        environment = self.current.environment if self.current else None
        return self.true_time() + timedelta(seconds=environment.clock_error if environment else 0.0)

    def true_time(self) -> datetime:
        """Return the virtual time, to the microsecond."""
        return NOW + timedelta(seconds=self.now)

    def a_clock_error(self) -> float:
        """Draw by how many seconds the clock of a process is wrong."""
        return self._rng.uniform(-self.clock_error, self.clock_error)

    def start(self, name: str, body: Callable[[], None], after: float = 0.0) -> Actor:
        """Add an actor that begins after some seconds."""
        actor = Actor(name, self.now + after)
        self._actors.append(actor)
        self._futures.append(_THREADS.submit(self._run, actor, body))
        return actor

    def run(self, until: float = math.inf) -> None:
        """Run until a time, or until every actor waits for another one."""
        self._until = until
        self._hand_over(None)
        self._home.acquire()
        if self.failure is not None:
            raise self.failure

    def pause(self, seconds: float = 0.0) -> None:
        """Let others run; the calling actor goes on after some seconds at the earliest."""
        me = self.me()
        me.wake_at = self.now + seconds
        self._hand_over(me)

    def idle_until(self, moment: float) -> None:
        """Let others run until a time, or until another actor wakes the calling one."""
        me = self.me()
        me.wake_at, me.is_idle = max(moment, self.now), True
        self._hand_over(me)
        me.is_idle = False

    def wake(self, actor: Actor, moment: float) -> None:
        """Have an idle actor go on at a time, if it would have gone on later."""
        if actor.is_idle:
            actor.wake_at = min(actor.wake_at, max(moment, self.now))

    @contextmanager
    def process(self, environment: Environment, seconds: float = math.inf) -> Iterator[None]:
        """Put the calling actor into a process, which is killed after some seconds."""
        me = self.me()
        me.environment, me.killed_at = environment, self.now + seconds
        if environment.api is not None:
            environment.api.context = {}
        try:
            yield
        except Killed:
            environment.is_dead = True
            raise
        finally:
            me.environment, me.killed_at = None, math.inf

    def close(self) -> None:
        """Send every thread home."""
        self._over = True
        for actor in self._actors:
            actor.baton.release()
        for future in self._futures:
            future.result()

    def me(self) -> Actor:
        """Return the calling actor; outside of a schedule, code runs that belongs to a process that has ended."""
        if self.current is None:
            raise Killed
        return self.current

    def _run(self, actor: Actor, body: Callable[[], None]) -> None:
        actor.baton.acquire()
        if self._over:
            return
        try:
            body()
        except Over:
            return
        except BaseException as error:  # noqa: BLE001 - whatever an actor meets, the schedule reports it
            self.failure = error
        self._actors.remove(actor)
        self._hand_over(None)

    def _hand_over(self, me: Actor | None) -> None:
        following = self._next(me)
        if following is me is not None:
            return
        # Processes share this one, and Powertools keeps the request that it answers in the class and in the resolver.
        api = me.environment.api if me is not None and me.environment is not None else None
        if api is not None:
            kept = BaseRouter.current_event, BaseRouter.lambda_context, api.context
        self.current = following
        (following.baton if following else self._home).release()
        if me is not None:
            me.baton.acquire()
            if self._over:
                raise Over
        if api is not None:
            BaseRouter.current_event, BaseRouter.lambda_context, api.context = kept

    def _next(self, me: Actor | None) -> Actor | None:
        self.steps += 1
        if self.steps > MOST_STEPS and self.failure is None:
            self.failure = TimeoutError(f"nothing settled within {MOST_STEPS} steps")
        self.now += self._rng.random() * _STEP_SECONDS
        if self.failure is not None or not self._actors or self.now > self._until:
            return None
        ready = [actor for actor in self._actors if actor.wake_at <= self.now]
        if not ready:
            first = min(actor.wake_at for actor in self._actors)
            if first > self._until or first == math.inf:
                return None
            self.now = first
            ready = [actor for actor in self._actors if actor.wake_at <= first]
        if me in ready and self._rng.random() < _GOES_ON:
            return me
        return ready[int(self._rng.random() * len(ready))]
