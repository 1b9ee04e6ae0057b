"""The functions as Lambda runs them: processes that are kept, killed and made anew, and handlers run in them."""

from __future__ import annotations

import json
import math
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from functions.deliver_webhooks.handler import lambda_handler as deliver_webhooks
from functions.manage_batches.handler import lambda_handler as manage_batches
from functions.manage_webhooks.handler import lambda_handler as manage_webhooks
from functions.predict_now.handler import lambda_handler as predict_now
from functions.run_inference.handler import lambda_handler as run_inference
from functions.split_batch.handler import lambda_handler as split_batch
from functions.submit_prediction.handler import lambda_handler as submit_prediction
from functions.sweep_dead_letters.handler import lambda_handler as sweep_dead_letters
from functions.track_tasks.handler import lambda_handler as track_tasks
from tests.faults.scheduler import Environment, Killed, Scheduler
from tests.support.template import load

HANDLERS: dict[str, Callable[[dict[str, Any], Any], Any]] = {
    "deliver_webhooks": deliver_webhooks,
    "manage_batches": manage_batches,
    "manage_webhooks": manage_webhooks,
    "predict_now": predict_now,
    "run_inference": run_inference,
    "split_batch": split_batch,
    "submit_prediction": submit_prediction,
    "sweep_dead_letters": sweep_dead_letters,
    "track_tasks": track_tasks,
}
_COLD_STARTS = 0.1


@dataclass(frozen=True)
class Context:
    """What a handler reads from the Lambda context."""

    scheduler: Scheduler
    ends: float
    function_name: str
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:matchcast"
    aws_request_id: str = "7d8a2f5e-9c1b-4f4e-8a55-0a6a1c1f2b3c"

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the invocation may still take."""
        return max(0, int(1000 * (self.ends - self.scheduler.now)))


class Invocations:
    """Runs functions, each in a process that works on one invocation at a time."""

    def __init__(self, scheduler: Scheduler, rng: random.Random) -> None:
        self._scheduler = scheduler
        self._rng = rng
        self._free: dict[str, list[Environment]] = defaultdict(list)
        self._made = 0
        self._direct = 0

    def new(self, name: str) -> Environment:
        """Return a new process."""
        handler = HANDLERS.get(name)
        api = getattr(sys.modules[handler.__module__], "api", None) if handler else None
        self._made += 1
        return Environment(f"{name} {self._made}", api, clock_error=self._scheduler.a_clock_error())

    @contextmanager
    def environment(self, function: str) -> Iterator[Environment]:
        """Run the block in a process of a function.

        Raises
        ------
        Killed
            If the process died, or took longer than it may.
        """
        free = self._free[function]
        is_cold = not free or self._rng.random() < _COLD_STARTS
        one = self.new(function) if is_cold else free.pop(self._rng.randrange(len(free)))
        try:
            with self._scheduler.process(one, seconds_of(function)):
                yield one
        finally:
            if not one.is_dead:
                free.append(one)

    def run(self, function: str, event: Any) -> Any:
        """Return the answer of a function that runs in the present process."""
        context = Context(self._scheduler, self._scheduler.me().killed_at, function)
        return HANDLERS[function](event, context)

    def invoke(self, function: str, payload: bytes, wait: float) -> tuple[bytes, str | None]:
        """Return the answer to a direct invocation, which goes on when its caller stops waiting.

        Raises
        ------
        TimeoutError
            If it takes longer than its caller waits.
        """
        scheduler, caller = self._scheduler, self._scheduler.me()
        answers: list[tuple[bytes, str | None]] = []

        def invocation() -> None:
            try:
                with self.environment(function):
                    answers.append((json.dumps(self.run(function, json.loads(payload))).encode(), None))
            except Killed:
                answers.append((b'{"errorMessage":"the process ended"}', "Unhandled"))
            except Exception as error:  # noqa: BLE001 - whatever it is, Lambda reports it
                answers.append((json.dumps({"errorMessage": repr(error)}).encode(), "Unhandled"))
            scheduler.wake(caller, scheduler.now)

        self._direct += 1
        scheduler.start(f"invocation {self._direct}", invocation)
        patience = scheduler.now + wait
        while not answers and scheduler.now < patience:
            scheduler.idle_until(patience)
        if not answers:
            raise TimeoutError
        return answers[0]


@cache
def seconds_of(function: str) -> float:
    """Return how long an invocation may take, as the template says."""
    template = load()
    name = "".join(word.title() for word in function.split("_")) + "Function"
    properties = template["Resources"].get(name, {}).get("Properties")
    if properties is None:
        return math.inf
    return float(properties.get("Timeout", template["Globals"]["Function"]["Timeout"]))
