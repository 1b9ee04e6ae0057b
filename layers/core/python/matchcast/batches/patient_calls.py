"""Calls that may take too long: each in a thread of its own, and waited for as long as there is time.

A thread cannot be stopped, and need not be: what is no longer waited for goes on, and ends its part itself. Until then
its model gets no other call here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from matchcast.errors import InferenceUnavailable, ModelTooSlow


class Calls(Protocol):
    """How calls are made."""

    def __call__(self, name: str, call: Callable[[], object], seconds: float) -> None:
        """Make a call, and raise what it raises."""


class PatientCalls:
    """Makes calls in threads, never two of one name at a time (`Calls`)."""

    def __init__(self) -> None:
        self._threads: dict[str, threading.Thread] = {}

    def __call__(self, name: str, call: Callable[[], object], seconds: float) -> None:
        """Make a call, and raise what it raises.

        Raises
        ------
        InferenceUnavailable
            If an earlier call of this name has not ended yet: nothing was tried.
        ModelTooSlow
            If it has not ended after some seconds; it goes on.
        """
        self._threads = {each: thread for each, thread in self._threads.items() if thread.is_alive()}
        if name in self._threads:
            raise InferenceUnavailable(f"An earlier call of {name} has not ended yet.")
        ended: Future[None] = Future()
        thread = threading.Thread(target=_make, args=(call, ended), name=f"call-{name}", daemon=True)
        self._threads[name] = thread
        thread.start()
        try:
            ended.result(timeout=seconds)
        except TimeoutError as error:
            if ended.done():
                raise
            raise ModelTooSlow(
                f"{name} has taken more than {seconds:.1f} s for a part; it goes on by itself."
            ) from error
        thread.join()


def at_once(name: str, call: Callable[[], object], seconds: float) -> None:  # noqa: ARG001
    """Make a call in this thread, however long it takes (a `Calls`)."""
    call()


def _make(call: Callable[[], object], ended: Future[None]) -> None:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - it is raised where the call is waited for
        ended.set_exception(error)
    else:
        ended.set_result(None)
