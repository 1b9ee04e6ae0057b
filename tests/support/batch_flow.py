"""The whole flow of batches over ports in memory: every use case, a worker, and calls of ports that fail."""

from __future__ import annotations

import json
import random
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np

from matchcast.adapters.in_memory import InMemoryKeys
from matchcast.batch_messages import BatchMessage, RunPart
from matchcast.batches.finish import FinishParts
from matchcast.batches.input_rows import InputReader
from matchcast.batches.join import JoinBatches
from matchcast.batches.lose import LoseParts
from matchcast.batches.part_files import decode_errors, decode_output, in_row_order
from matchcast.batches.plan import PartPlans, Window
from matchcast.batches.split import SplitBatches
from matchcast.batches.submit import BatchSubmission, SubmitBatch
from matchcast.batches.track import TrackBatches
from matchcast.batches.work import BatchWork
from matchcast.domain.batch import Batch, BatchKeys, FileFormat, RowError
from matchcast.domain.manifests import PublishedModel, SnapshotManifest
from matchcast.errors import StorageUnavailable
from matchcast.releases.pinned_models import PinnedModels
from matchcast.releases.served_models import LoadedModel
from matchcast.snapshots.contract import MATCH_FEATURES_FILE
from matchcast.snapshots.features import FeatureTable
from matchcast.tasks.accept import IdempotencyKey
from tests.support.batches import InMemoryBatches, InMemoryBatchQueue, InMemoryFiles
from tests.support.releases import Release, parse
from tests.support.tasks import NOW

POISON = 666.0
"""The first feature of rows on which the model fails, as long as it is poisoned."""
FAILED = RowError("model-failed", "", "The model failed on this row.")


@dataclass
class Trip:
    """Makes one call of a port fail: before it does anything, or after it has done all (its answer is lost)."""

    at: int = -1
    after: bool = False
    calls: int = 0

    def over(self, port: Any) -> Any:
        """Return a port whose calls are counted."""
        return _Tripping(port, self)

    def call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Make a call, or fail."""
        self.calls += 1
        trips = self.calls == self.at
        result = method(*args, **kwargs) if self.after or not trips else None
        if trips:
            raise StorageUnavailable(f"call {self.at} failed")
        return result


class _Tripping:
    def __init__(self, port: Any, trip: Trip) -> None:
        self._port, self._trip = port, trip

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        return lambda *args, **kwargs: self._trip.call(method, *args, **kwargs)


@contextmanager
def a_folder() -> Iterator[Path]:
    """Yield a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@dataclass
class Flow:
    """A service of batches; parts have `size` rows, and `window` of them are in the lane at once."""

    size: int = 4
    window: int = 2
    trip: Trip = field(default_factory=Trip)
    poisoned: bool = True
    now: datetime = NOW
    limit: int = 100

    def __post_init__(self) -> None:
        self.release = Release()
        self.raw, self.objects = self.release.objects, self.trip.over(self.release.objects)
        self.records, self.queue = InMemoryBatches(), InMemoryBatchQueue()
        self.uploads = InMemoryFiles(self.raw)
        self.keys = InMemoryKeys()
        batches, queue, files = (self.trip.over(port) for port in (self.records, self.queue, self.uploads))
        clock = lambda: self.now  # noqa: E731
        ports: dict[str, Any] = {"batches": batches, "queue": queue, "objects": self.objects}
        plans = PartPlans(self.objects)
        self.lane = Window(plans, queue, self.window)
        self.finish = FinishParts(**ports, now=clock)
        tracking: dict[str, Any] = {"index": batches, "keys": self.trip.over(self.keys), "now": clock}
        self.submit = SubmitBatch(
            **ports,
            **tracking,
            files=files,
            models=self.release.models,
            snapshots=self.release.snapshots,
            limit=self.limit,
            lifetime=timedelta(days=1),
            sleep=lambda _: None,
        )
        self.track = TrackBatches(batches=batches, queue=queue, **tracking)
        split = SplitBatches(
            **ports,
            files=files,
            models=cast("PinnedModels", self),
            features=self.features,
            reader=InputReader,
            plans=plans,
            window=self.lane,
            folder=a_folder,
            now=clock,
            part_rows=lambda *_: self.size,
        )
        join = JoinBatches(
            batches=batches, finish=self.finish, objects=self.objects, files=files, folder=a_folder, now=clock
        )
        self.work = BatchWork(split, join, LoseParts(self.finish, self.lane))

    def get(self, published: PublishedModel, stage: str) -> LoadedModel:
        """Return the one model (a `PinnedModels`)."""
        return LoadedModel(published, self.release.model, stage, NOW)

    def features(self, snapshot: SnapshotManifest) -> FeatureTable:
        """Return the features of a snapshot."""
        stored = self.objects.get(snapshot.prefix + MATCH_FEATURES_FILE)
        return parse(stored.body)

    def upload(self, rows: Sequence[Any], tenant: str = "north") -> str:
        """Upload rows as JSON Lines; a row that is a text is a line as it is."""
        key = f"input/{tenant}/{uuid.UUID(int=len(rows) + (4 << 76) + (8 << 60))}.jsonl"
        self.uploads.put(
            key, "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows).encode()
        )
        return key

    def submitted(
        self, rows: Sequence[Any], output_format: FileFormat = FileFormat.JSONL, key: IdempotencyKey | None = None
    ) -> Batch:
        """Submit rows and return their batch."""
        asked = BatchSubmission(input_key=self.upload(rows), output_format=output_format)
        return self.submit.submit("north", asked, key)[0]

    def deliver(self, message: BatchMessage | RunPart) -> None:
        """Do what a message asks for."""
        if isinstance(message, RunPart):
            self.run_part(message)
        else:
            self.work.do(message)

    def run_part(self, message: RunPart) -> None:
        """Run a part, as a worker does."""
        still_open = self.finish.open(message.batch_id, message.generation, message.number)
        if still_open is None:
            return
        batch, before = still_open
        self.lane.go_on(batch, message.position)
        rows, done = self.finish.rows(batch, message.number), self.finish.earlier_output(batch, before)
        places = rows.without(done)
        fails = self.poisoned & (rows.values[places, 0] == POISON)
        answers = self.release.model.predict(np.clip(rows.values[places[~fails]], -9, 9)).astype(np.float64)
        output = in_row_order(done, rows.predictions(places[~fails], answers))
        failed = rows.failures(places[fails], FAILED)
        self.finish.finish(batch, message.number, rows, output=output, failed=failed, before=before)

    def settle(self, choose: random.Random | None = None, most: int = 2000) -> None:
        """Deliver messages until none waits; one that raises stays, and one that was done may come twice."""
        for _ in range(most):
            if not self.queue.messages:
                return
            at = choose.randrange(len(self.queue.messages)) if choose else 0
            self.step(at, again=choose is not None and choose.random() < 0.2)
        raise AssertionError(f"messages go on for ever: {self.queue.bodies[:5]}")

    def step(self, at: int = 0, *, again: bool = False) -> None:
        """Deliver one message, which then stays if it raised, or if it is to come once more."""
        message, delay = self.queue.messages.pop(at)
        try:
            self.deliver(message)
        except StorageUnavailable:
            again = True
        if again:
            self.queue.messages.append((message, delay))

    def batch(self, batch: Batch) -> Batch:
        """Return the present record."""
        return self.records.get_many([batch.batch_id])[batch.batch_id]

    def files(self, batch: Batch) -> tuple[bytes, bytes]:
        """Return the joined files."""
        present = self.batch(batch)
        assert present.output_generation is not None
        keys = BatchKeys(batch.batch_id, batch.output_format)
        found = [self.raw.get(name(present.output_generation)) for name in (keys.output, keys.errors)]
        assert found[0] is not None
        assert found[1] is not None
        return found[0].body, found[1].body

    def rows(self, batch: Batch) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the rows of both files, after a check that they agree with the record and with each other."""
        present, bodies = self.batch(batch), self.files(batch)
        output: list[dict[str, Any]] = decode_output(bodies[0], batch.output_format).to_pylist()
        errors: list[dict[str, Any]] = decode_errors(bodies[1], batch.output_format).to_pylist()
        numbers = [[row["row"] for row in rows] for rows in (output, errors)]
        assert sorted(numbers[0] + numbers[1]) == list(range(present.total or 0))
        assert numbers == [sorted(each) for each in numbers]
        assert len(output) == present.succeeded
        assert len(errors) == present.failed + present.cancelled
        assert sum(row["code"] == "cancelled" for row in errors) == present.cancelled
        return output, errors


BAD = {"elo_difference": "high", "form": 0}
"""A row that is wrong in the input."""


def good(number: int) -> dict[str, Any]:
    """Return a row that can be predicted."""
    return {"elo_difference": number / 10, "form": 0.5, "custom_id": f"c{number}"}


def poison(number: int) -> dict[str, Any]:
    """Return a row on which the model fails."""
    return {"elo_difference": POISON, "form": 0.5, "custom_id": f"p{number}"}


MIXED = [good(0), BAD, poison(2), good(3), good(4), good(5), BAD, good(7), poison(8), good(9)]
"""Rows of every kind: six good ones, two that fail while the model is poisoned, and two wrong ones."""
