"""The work of one receive, stage by stage: side by side, so that a slow model holds up no other stage.

A thread cannot be stopped, and need not be: what is no longer waited for goes on, and writes its results itself; the
messages come again and find their tasks over. Until it ends its stage gets no other call, so there is never more than
one thread for each stage. A frozen environment goes on with it in its next invocation. The threads are daemons: none
of them keeps a process from ending.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

from matchcast.errors import MatchcastError, ModelTooSlow
from matchcast.tasks.isolation import faults_named

GIVE_WAY_SECONDS = 5.0
"""How long an environment that other stages use as well waits for a stage at most: its model may have to load."""
LEAST_GIVE_WAY_SECONDS = 1.0
USUAL_TIMES = 3.0
"""Such an environment waits so many times as long as the stage has ever taken there, and a second at least."""
USED_FOR_SECONDS = 10.0
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
        self._longest: dict[str, float] = {}
        self._ended: SimpleQueue[tuple[int, str, R | MatchcastError]] = SimpleQueue()
        self._late: list[R] = []
        self._numbers = count()

    def __call__(self, calls: Calls[R], seconds: float) -> Results[R]:
        """Yield each stage with what its call returned or raised; ModelTooSlow for one that is no longer waited for."""
        number, started = next(self._numbers), self._monotonic()
        self._threads = {stage: thread for stage, thread in self._threads.items() if thread.is_alive()}
        used = {stage: at for stage, at in self._called_at.items() if started - at < USED_FOR_SECONDS}
        self._called_at = {**used, **dict.fromkeys(calls, started)}
        alone = len(self._called_at) == 1
        busy = [stage for stage in calls if stage in self._threads]
        patience = {
            stage: seconds if alone else min(seconds, self._patience(stage)) for stage in calls if stage not in busy
        }
        for stage in patience:
            self._start(number, stage, calls[stage])
        for stage in busy:
            yield stage, ModelTooSlow(f"An earlier call of stage {stage} has not ended yet.")
        while patience:
            first = min(patience, key=lambda stage: patience[stage])
            try:
                left = started + patience[first] - self._monotonic()
                whose, stage, result = self._ended.get(timeout=max(0.0, left))
            except Empty:
                waited = patience.pop(first)
                yield first, ModelTooSlow(f"Stage {first} has taken more than {waited:.1f} s; it goes on by itself.")
                continue
            if whose == number and stage in patience:
                del patience[stage]
                yield stage, result
            elif not isinstance(result, MatchcastError):
                self._late.append(result)

    def late(self) -> list[R]:
        """Return, once, what calls returned that were no longer waited for."""
        late, self._late = self._late, []
        while True:
            try:
                _, _, result = self._ended.get(timeout=0)
            except Empty:
                return late
            if not isinstance(result, MatchcastError):
                late.append(result)

    def _patience(self, stage: str) -> float:
        """Return how long a stage is waited for where others wait as well."""
        longest = self._longest.get(stage)
        if longest is None:
            return GIVE_WAY_SECONDS
        return min(max(USUAL_TIMES * longest, LEAST_GIVE_WAY_SECONDS), GIVE_WAY_SECONDS)

    def _start(self, number: int, stage: str, call: Callable[[], R]) -> None:
        def run() -> None:
            began = self._monotonic()
            result = _result(call)
            self._longest[stage] = max(self._longest.get(stage, 0.0), self._monotonic() - began)
            self._ended.put((number, stage, result))

        self._threads[stage] = threading.Thread(target=run, name=f"stage-{stage}", daemon=True)
        self._threads[stage].start()


def _result(call: Callable[[], R]) -> R | MatchcastError:
    try:
        with faults_named():
            return call()
    except MatchcastError as error:
        return error
