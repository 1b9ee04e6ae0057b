"""Workers killed at random while a batch is split, predicted and joined."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.proofs.bench import Bench
from tests.proofs.storm import environments

QUEUES = {"NormalQueueUrl": 420, "BatchesQueueUrl": 1800}
"""Queues that workers of batches receive from, with the template's visibility."""


@contextmanager
def messages_soon_again(work: Bench, part_seconds: int, split_seconds: int) -> Iterator[None]:
    """Have messages of killed workers come again after seconds, in place of minutes, while the block runs."""
    try:
        _hide(work, {"NormalQueueUrl": part_seconds, "BatchesQueueUrl": split_seconds})
        yield
    finally:
        _hide(work, QUEUES)


class Killer:
    """Kills workers of a batch while they work: at the split, among the parts, and at the join.

    Attributes
    ----------
    killed
        How many workers of each function were killed while the batch was in which step.
    """

    def __init__(self, work: Bench, *, splits: int, parts: int, split_seconds: float) -> None:
        self.killed: Counter[tuple[str, str]] = Counter()
        self._work = work
        self._left = Counter({"split": splits, "parts": parts, "join": 1})
        self._split_seconds = split_seconds
        self._not_before = 0.0
        self._step = ""
        self._random = random.Random()
        self._lock = threading.Lock()

    def watch(self, batch: dict[str, Any]) -> None:
        """Kill a worker if it is time for that."""
        step = _step(batch)
        if step != self._step:
            self._step = step
            # Somewhere within a split; at once where a step may be over soon.
            wait = self._random.uniform(0.05, 0.7) * self._split_seconds if step == "split" else 0.0
            self._not_before = time.monotonic() + wait
        if time.monotonic() < self._not_before or not self._left[step]:
            return
        functions = ["run_inference"] if step == "parts" else ["split_batch"]
        if step == "parts" and self._random.random() < 0.2:
            functions.append("split_batch")
        for function in functions:
            alive = environments(self._work, function)
            if alive:
                with suppress(ProcessLookupError):  # it has ended by itself
                    os.kill(self._random.choice(alive), signal.SIGKILL)
                    self.killed[function, step] += 1
                    self._left[step] -= 1
        pause = self._split_seconds if step == "split" else 0.0
        self._not_before = time.monotonic() + pause + self._random.uniform(0.3, 2.0)

    def kills_of(self, function: str) -> int:
        """Return how many workers of a function were killed."""
        return sum(count for (name, _), count in self.killed.items() if name == function)

    @property
    def by_step(self) -> dict[str, int]:
        """How many workers were killed, by function and step."""
        return {f"{function} at {step}": count for (function, step), count in sorted(self.killed.items())}


def _step(batch: dict[str, Any]) -> str:
    if batch["status"] == "queued":
        return "split"
    progress = batch["progress"]
    if batch["status"] == "running":
        return "join" if progress["parts_done"] >= progress["parts"] else "parts"
    return ""


def _hide(work: Bench, seconds: dict[str, int]) -> None:
    for queue, visibility in seconds.items():
        attributes = {"VisibilityTimeout": str(visibility)}
        work.stack.client("sqs").set_queue_attributes(QueueUrl=work.stack.output(queue), Attributes=attributes)
