"""Threads of a process as actors: what the product runs beside its own work goes on in virtual time."""

from __future__ import annotations

import math
import queue
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any

from tests.faults.scheduler import Actor, Killed, Scheduler


class _Waited:
    """Something that actors wait for."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._waiting: list[Actor] = []

    def wake(self) -> None:
        """Have those who wait look again."""
        for actor in self._waiting:
            self._scheduler.wake(actor, self._scheduler.now)

    def wait(self, is_there: Callable[[], bool], timeout: float | None) -> bool:
        """Return whether it came within some seconds."""
        patience = math.inf if timeout is None else self._scheduler.now + timeout
        self._waiting.append(self._scheduler.me())
        while not is_there() and self._scheduler.now < patience:
            self._scheduler.idle_until(patience)
        return is_there()


class Pending(Future[Any]):
    """A future whose `result` waits in virtual time."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        self._waited = _Waited(scheduler)
        self.add_done_callback(lambda _: self._waited.wake())

    def result(self, timeout: float | None = None) -> Any:
        """Return what came of it, or raise it; TimeoutError where it takes longer."""
        if not self._waited.wait(self.done, timeout):
            raise TimeoutError
        return super().result()


class Mailbox:
    """A `SimpleQueue` whose `get` waits in virtual time."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._waited = _Waited(scheduler)
        self._items: deque[Any] = deque()

    def put(self, item: Any) -> None:
        """Add an item."""
        self._items.append(item)
        self._waited.wake()

    def get(self, timeout: float | None = None) -> Any:
        """Return the first item; `queue.Empty` where there is none in time."""
        if not self._waited.wait(lambda: bool(self._items), timeout):
            raise queue.Empty
        return self._items.popleft()


class Lock:
    """A `threading.Lock` that is waited for in virtual time: its holder may be waiting for a call meanwhile."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._waited = _Waited(scheduler)
        self._is_held = False

    def __enter__(self) -> None:
        if self._is_held:
            self._waited.wait(lambda: not self._is_held, None)
        self._is_held = True

    def __exit__(self, *_: object) -> None:
        self._is_held = False
        self._waited.wake()


class Thread:
    """A `threading.Thread` of the calling actor's process."""

    def __init__(
        self,
        scheduler: Scheduler,
        target: Callable[..., object],
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        self._scheduler = scheduler
        self._run: Callable[[], object] = partial(target, *args, **(kwargs or {}))
        self._ended = False
        self._waited = _Waited(scheduler)

    def start(self) -> None:
        """Begin."""
        me = self._scheduler.me()
        environment = me.environment
        assert environment is not None

        def body() -> None:
            self._scheduler.me().environment = environment
            try:
                self._run()
            except Killed:
                environment.is_dead = True
            finally:
                self._ended = True
                self._waited.wake()

        self._scheduler.start(f"{me.name}, thread", body)

    def is_alive(self) -> bool:
        """Return whether it has not ended."""
        return not self._ended

    def join(self) -> None:
        """Wait for its end."""
        self._waited.wait(lambda: self._ended, None)


class Threads(Executor):
    """An executor: what is mapped is done in some order, what is submitted is done by an actor of its own."""

    def __init__(self, scheduler: Scheduler, rng: random.Random) -> None:
        self._scheduler = scheduler
        self._rng = rng
        self._started: list[Thread] = []

    def map(self, fn: Callable[..., Any], *iterables: Any, **_: Any) -> Any:
        """Return the results of calls in some order, in the order of their arguments."""
        work = list(enumerate(zip(*iterables, strict=False)))
        self._rng.shuffle(work)
        done = {number: fn(*arguments) for number, arguments in work}
        return iter([done[number] for number in sorted(done)])

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Pending:
        """Start a call in the calling process."""
        pending = Pending(self._scheduler)

        def call() -> None:
            try:
                pending.set_result(fn(*args, **kwargs))
            except Killed as death:
                pending.set_exception(death)
                raise
            except Exception as error:  # noqa: BLE001 - the one who waits gets it
                pending.set_exception(error)

        thread = Thread(self._scheduler, call)
        self._started = [each for each in self._started if each.is_alive()] + [thread]
        thread.start()
        return pending

    def shutdown(self, wait: bool = True, **_: Any) -> None:
        """Wait for the calls under way."""
        for thread in self._started if wait else []:
            thread.join()


class AtOnce(Threads):
    """An executor whose maps run in threads that end with their process."""

    def map(self, fn: Callable[..., Any], *iterables: Any, **_: Any) -> Any:
        """Return the results of calls that are made at the same time."""
        killed_at = self._scheduler.me().killed_at

        def call(*arguments: Any) -> Any:
            self._scheduler.me().killed_at = killed_at
            return fn(*arguments)

        pending = [self.submit(call, *arguments) for arguments in zip(*iterables, strict=False)]
        return iter([each.result() for each in pending])
