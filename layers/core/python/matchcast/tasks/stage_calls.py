"""The work of one receive, stage by stage: side by side, so that a slow model holds up no other stage.

A thread cannot be stopped, and need not be: what is no longer waited for goes on, and writes its results itself; the
messages come again and find their tasks over. Until it ends its stage gets no other call, so there is never more than
one thread for each stage. A frozen environment goes on with it in its next invocation, which waits for it before it
calls the stage again: else a model that takes long to load would never be loaded. The threads are daemons: none of
them keeps a process from ending.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import count
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

from matchcast.errors import MatchcastError, ModelTooSlow
from matchcast.tasks.isolation import faults_named

GIVE_WAY_SECONDS = 2.0
"""How long an environment that other stages use as well goes on waiting for a stage after another one has ended."""
USED_FOR_SECONDS = 60.0
"""How long after its last call a stage is said to use an environment."""

R = TypeVar("R")
Calls = Mapping[str, Callable[[], R]]
Results = Iterator[tuple[str, R | MatchcastError]]


class StageCalls(Protocol[R]):
    """How the calls of a receive are made."""

    def __call__(self, calls: Calls[R], seconds: float) -> Results[R]:
        """Yield each stage with what its call returned or raised; ModelTooSlow for one that is no longer waited for."""

    def late(self) -> list[R]:
        """Return, once, what calls returned that were no longer waited for."""


class InTurn(Generic[R]):
    """Makes the calls one after the other, however long they take (a `StageCalls`)."""

    def __call__(self, calls: Calls[R], seconds: float) -> Results[R]:  # noqa: ARG002
        """Yield each stage with what its call returned or raised."""
        for stage, call in calls.items():
            yield stage, _result(call)

    def late(self) -> list[R]:
        """Return nothing: every call is waited for."""
        return []


class SideBySide(Generic[R]):
    """Makes each call in a thread of its own (a `StageCalls`)."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._threads: dict[str, threading.Thread] = {}
        self._called_at: dict[str, float] = {}
        self._ended: SimpleQueue[tuple[int, str, R | MatchcastError]] = SimpleQueue()
        self._late: list[R] = []
        self._numbers = count()

    def __call__(self, calls: Calls[R], seconds: float) -> Results[R]:
        """Yield each stage with what its call returned or raised; ModelTooSlow for one that is no longer waited for."""
        self._take_what_ended()
        number, started = next(self._numbers), self._monotonic()
        used = {stage: at for stage, at in self._called_at.items() if started - at < USED_FOR_SECONDS}
        self._called_at = {**used, **dict.fromkeys(calls, started)}
        others_wait = used.keys() - calls.keys()
        give_up = started + (min(seconds, GIVE_WAY_SECONDS) if others_wait else seconds)
        waiting, busy = list(calls), self._threads.keys() & calls.keys()
        for stage in calls.keys() - busy:
            self._start(number, stage, calls[stage])
        while waiting:
            try:
                whose, stage, result = self._take(max(0.0, give_up - self._monotonic()))
            except Empty:
                break
            if whose == number:
                waiting.remove(stage)
                yield stage, result
                give_up = min(give_up, self._monotonic() + GIVE_WAY_SECONDS)
                continue
            self._keep_late(result)
            if stage in busy:
                self._start(number, stage, calls[stage])
        waited = self._monotonic() - started
        for stage in waiting:
            yield stage, ModelTooSlow(f"Stage {stage} has taken more than {waited:.1f} s; it goes on by itself.")

    def late(self) -> list[R]:
        """Return, once, what calls returned that were no longer waited for."""
        self._take_what_ended()
        late, self._late = self._late, []
        return late

    def _take_what_ended(self) -> None:
        with suppress(Empty):
            while True:
                _, _, result = self._take(0.0)
                self._keep_late(result)

    def _take(self, seconds: float) -> tuple[int, str, R | MatchcastError]:
        """Return the next result; from then on its stage may be called again. Empty is raised where none comes."""
        ended = self._ended.get(timeout=seconds)
        del self._threads[ended[1]]
        return ended

    def _keep_late(self, result: R | MatchcastError) -> None:
        if not isinstance(result, MatchcastError):
            self._late.append(result)

    def _start(self, number: int, stage: str, call: Callable[[], R]) -> None:
        def run() -> None:
            self._ended.put((number, stage, _result(call)))

        self._threads[stage] = threading.Thread(target=run, name=f"stage-{stage}", daemon=True)
        self._threads[stage].start()


def _result(call: Callable[[], R]) -> R | MatchcastError:
    try:
        with faults_named():
            return call()
    except MatchcastError as error:
        return error
