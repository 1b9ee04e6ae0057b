"""A worker of queued predictions over a table and lanes that can be out of reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from matchcast.adapters.in_memory import InMemoryLanes, InMemoryTasks
from matchcast.domain.manifests import MODEL_MANIFEST_KEY
from matchcast.domain.task import Priority, Task
from matchcast.errors import QueueUnavailable, StorageUnavailable
from matchcast.ports import Received
from matchcast.tasks.circuit_breaker import CircuitBreaker
from matchcast.tasks.run import RunPredictions
from matchcast.tasks.settle import Outcome
from tests.support.releases import MATCHES, Release
from tests.support.tasks import NOW, a_task

MATCH = next(iter(MATCHES))


@dataclass
class Unsteady(InMemoryTasks):
    """A table of which some calls do not come through."""

    down: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        InMemoryTasks.__init__(self)

    def get_many(self, task_ids: Sequence[str]) -> Mapping[str, Task]:
        self._check("get_many")
        return super().get_many(task_ids)

    def finish(self, task: Task) -> bool:
        self._check("finish")
        return super().finish(task)

    def record_attempt(self, task: Task) -> int | None:
        self._check("record_attempt")
        return super().record_attempt(task)

    def _check(self, call: str) -> None:
        if call in self.down:
            raise StorageUnavailable(f"no {call}")


@dataclass
class Lanes(InMemoryLanes):
    """Lanes of which one call does not come through."""

    down: str = ""
    buried: list[str | None] = field(default_factory=list)

    def bury(self, lane: str, body: str, cause: str | None, task_id: str | None) -> None:
        self._check("bury")
        self.buried.append(task_id)
        super().bury(lane, body, cause, task_id)

    def take(self, lane: Priority) -> Sequence[Received]:
        self._check("take")
        return super().take(lane)

    def remove(self, lane: Priority, taken: Sequence[Received]) -> None:
        self._check("remove")
        super().remove(lane, taken)

    def _check(self, call: str) -> None:
        if call == self.down:
            raise QueueUnavailable(f"no {call}")


@dataclass
class Worker:
    """A worker that runs what it is called with as one receive and returns the outcomes by message id."""

    release: Release = field(default_factory=Release)
    tasks: Unsteady = field(default_factory=Unsteady)
    lanes: Lanes = field(default_factory=Lanes)

    def __call__(self, *receive: Received) -> dict[str, Outcome]:
        with self.predictions() as predictions:
            outcomes = predictions.run(receive)
        assert sorted(outcome.message_id for outcome in outcomes) == sorted(message.message_id for message in receive)
        return {outcome.message_id: outcome for outcome in outcomes}

    @contextmanager
    def predictions(self) -> Iterator[RunPredictions]:
        """Give the use case, with a breaker that knows nothing yet."""
        with ThreadPoolExecutor(4) as threads:
            yield RunPredictions(
                predictor=self.release.predictor(),
                tasks=self.tasks,
                lanes=self.lanes,
                threads=threads,
                now=lambda: NOW,
                breaker=CircuitBreaker(),
                max_attempts=3,
            )

    def task(self, task: Task) -> Task:
        return self.tasks.get_many([task.task_id])[task.task_id]

    def break_model_store(self) -> None:
        self.release.objects.put(MODEL_MANIFEST_KEY, b"{")


def queued(worker: Worker, number: int, **changes: object) -> list[Task]:
    """Return as many new tasks, queued in the table of the worker."""
    tasks = [a_task(**{"match_id": MATCH, **changes}) for _ in range(number)]
    for task in tasks:
        worker.tasks.create(task)
    return tasks
