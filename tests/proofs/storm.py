"""Clients that ask for tasks and batches, wait, cancel, retry, and repeat what fails, while environments are killed."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from matchcast.domain.task import TaskStatus
from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.stack.api_client import Answer
from tests.proofs.bench import Bench
from tests.proofs.timing import FEATURE

CLIENTS = 8
PATIENCE_SECONDS = 120
STORM_SECONDS = 300
BATCH_ROWS = 20
KILL_SECONDS = 1.5
"""Between two kills, each of another function: with less no function comes up."""


@dataclass
class Storm:
    """Requests for tasks of one stage, and what their clients were told."""

    work: Bench
    stage: str
    killed: Counter[str] = field(default_factory=Counter)
    requests: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    """The path and body of each keyed request, by key."""
    accepted: dict[str, str] = field(default_factory=dict)
    """The task of each key."""
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Tasks as a client saw them first after their end."""
    waited: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Predictions that a client waited for, by task."""
    batches: dict[str, str] = field(default_factory=dict)
    """The batch of each key."""
    repeated: int = 0

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._matches = self.work.matches
        self._numbers = itertools.count()
        self._errors: list[BaseException] = []

    def run(self, kills: dict[str, int], also: Callable[[], object]) -> None:
        """Return when so many environments of each function were killed, and every client has its answer.

        `also` is called all the time, for functions that no client calls.
        """
        calls = [self._session] * CLIENTS + [also]
        threads = [threading.Thread(target=self._repeat, args=(call,)) for call in calls]
        for thread in threads:
            thread.start()
        give_up = time.monotonic() + STORM_SECONDS
        while (left := Counter(kills) - self.killed) and time.monotonic() < give_up and not self._over.is_set():
            for function in kills:
                alive = environments(self.work, function)
                if alive and left[function]:
                    with suppress(ProcessLookupError):  # it has ended by itself
                        os.kill(random.choice(alive), signal.SIGKILL)
                        self.killed[function] += 1
                time.sleep(KILL_SECONDS)
        self._over.set()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def ask(self, key: str, prefer: str = "respond-async", expected: tuple[int, ...] = (202,)) -> Answer:
        """Send the request of a key, again if need be."""
        path, body = self.requests[key]
        headers = {"Idempotency-Key": key, "Prefer": prefer}
        return self._until_answered(lambda: self.work.api.post(path, body, headers), expected)

    def task_of(self, key: str) -> str:
        """Return the task that the request of a key is told of now."""
        return str(self.ask(key).json["task_id"])

    def _repeat(self, call: Callable[[], object]) -> None:
        while not self._over.is_set():
            try:
                call()
            except BaseException as error:  # noqa: BLE001 - it is raised where the storm is over
                self._errors.append(error)
                self._over.set()

    def _session(self) -> None:
        number = next(self._numbers)
        (self._submit, self._wait, self._cancel, self._retry, self._batch)[number % 5](number)

    def _accept(self, path: str, **body: Any) -> str:
        """Return the key of a new request after its task was accepted."""
        key = uuid4().hex
        self.requests[key] = (path, body)
        self.accepted[key] = self.task_of(key)
        return key

    def _submit(self, number: int) -> str:
        match, priority = self._matches[number % len(self._matches)], "high" if number % 3 else "normal"
        key = self._accept("/predict/async/", match_id=match, stage=self.stage, priority=priority)
        self._look_at(self.accepted[key])
        return self.accepted[key]

    def _wait(self, number: int) -> None:
        key = uuid4().hex
        self.requests[key] = ("/predict/", {"features": {FEATURE: float(number % 50)}, "stage": self.stage})
        answer = self.ask(key, "wait=2, respond-async", (200, 202))
        self.accepted[key] = self.task_of(key)
        if answer.status == 200:
            self.waited[self.accepted[key]] = answer.json
        self._look_at(self.accepted[key])

    def _cancel(self, number: int) -> tuple[str, bool]:
        task_id = self._submit(number)
        path = f"/predict/async/{task_id}"
        answer = self._until_answered(lambda: self.work.api.request("DELETE", path), (200, 409))
        self._look_at(task_id)
        return task_id, answer.status == 200

    def _retry(self, number: int) -> None:
        task_id, is_cancelled = self._cancel(number)
        if is_cancelled:
            self._look_at(self.accepted[self._accept(f"/predict/async/{task_id}/retry")])

    def _batch(self, number: int) -> None:
        key, first = uuid4().hex, number % len(self._matches)
        matches = [*self._matches[first:], *self._matches[:first]][:BATCH_ROWS]
        self.requests[key] = ("/predict/batch/", {"match_ids": matches, "stage": self.stage})
        self.batches[key] = self.batch_of(key)

    def batch_of(self, key: str) -> str:
        """Return the batch that the request of a key is told of now."""
        return str(self.ask(key).json["batch_id"])

    def _look_at(self, task_id: str) -> None:
        path = f"/monitoring/task_status/{task_id}"
        task = self._until_answered(lambda: self.work.api.get(path), (200,)).json
        if TaskStatus(task["status"]).is_final:
            self.ended.setdefault(task_id, task)

    def _until_answered(self, request: Callable[[], Answer], expected: tuple[int, ...]) -> Answer:
        """Return the first answer that is no fault of the service; a request that failed is repeated as it was."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = request()
                if answer.status < 500 or time.monotonic() > give_up:
                    answer.expect(*expected)
                    return answer
            except EnvironmentProblem:
                if time.monotonic() > give_up:
                    raise
            self.repeated += 1
            time.sleep(random.uniform(0.1, 0.5))


def environments(work: Bench, function: str) -> list[int]:
    """Return the processes of a function's environments."""
    engine = work.command.engine
    assert engine is not None
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,pgid=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    mine = [row for row in rows if len(row) == 3 and int(row[1]) == engine["pid"]]
    # The engine unpacks each environment into a folder with the function's name.
    return [int(pid) for pid, _, arguments in mine if f"-{function}-" in arguments]
