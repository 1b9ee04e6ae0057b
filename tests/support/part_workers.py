"""A worker of parts over a batch in memory: its rows, its model and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.batch_messages import RunPart, encode_message
from matchcast.batches.fail import FailBatches
from matchcast.batches.finish import FinishParts
from matchcast.batches.input_rows import Chunk
from matchcast.batches.part_files import decode_errors, decode_output, write_part_input
from matchcast.batches.patient_calls import Calls, at_once
from matchcast.batches.plan import PartPlans, Window
from matchcast.batches.ports import Request
from matchcast.batches.run_parts import RunParts
from matchcast.domain.batch import Batch, BatchKeys, RowError
from matchcast.domain.manifests import PublishedModel
from matchcast.domain.task import Priority
from matchcast.ports import Model, ObjectStore, Received
from matchcast.releases.pinned_models import PinnedModels
from matchcast.tasks.settle import Outcome
from tests.support.releases import SIGNATURE, Logits, artifact, published
from tests.support.run_predictions import Lanes
from tests.support.stored_batches import SentMessages, StoredBatches, a_batch, running
from tests.support.tasks import NOW

WRONG = RowError("invalid-row", "/form", "The feature is missing; send a number.")
WEIGHTS = np.array([[0.01, 0, -0.01], [0.1, 0, -0.1]], np.float32)


def a_chunk(first: int, rows: int, wrong: Sequence[int] = ()) -> Chunk:
    """Return rows of which the first feature is their number; `wrong` are numbers of rows with an error."""
    numbers = np.arange(first, first + rows, dtype=np.float32)
    values = np.stack([numbers, numbers % 7], axis=1)
    values[[number - first for number in wrong]] = np.nan
    names = [f"c{number}" for number in range(first, first + rows)]
    return Chunk(first, names, [None] * rows, values, dict.fromkeys(wrong, WRONG))


@dataclass
class PartWorker:
    """A batch of two parts of ten rows that runs, and its worker; row 3 is wrong in the input."""

    model: Logits = field(default_factory=lambda: Logits(WEIGHTS))
    batches: StoredBatches = field(default_factory=StoredBatches)
    objects: ObjectStore = field(default_factory=InMemoryObjects)
    queue: SentMessages = field(default_factory=SentMessages)
    lanes: Lanes = field(default_factory=Lanes)
    batch: Batch = field(default_factory=lambda: running(a_batch(), failed=1, invalid=1, to_run=19))
    calls: Calls = at_once
    has_time: Callable[[], bool] = lambda: True
    window: int = 1
    loads: int = 0
    unloadable: Exception | None = None

    def __post_init__(self) -> None:
        keys = BatchKeys(self.batch.batch_id)
        self.batches.create(self.batch)
        request = Request(batch=self.batch, model=published(), snapshot=None)
        self.objects.put(keys.request, request.model_dump_json().encode())
        self.objects.put(published().prefix + "model.onnx", artifact("3"))
        for number, wrong in ((0, [3]), (1, [])):
            self.objects.put(
                keys.part_input(number), write_part_input(SIGNATURE.names, a_chunk(number * 10, 10, wrong))
            )
        self.worker = self.new_worker()

    def new_worker(self) -> RunParts:
        """Return a worker as another environment has it."""

        def load(published: PublishedModel, files: Mapping[str, bytes]) -> Model:
            self.loads += 1
            if self.unloadable is not None:
                raise self.unloadable
            return self.model

        return RunParts(
            batches=self.batches,
            queue=self.queue,
            objects=self.objects,
            lanes=self.lanes,
            models=PinnedModels(self.objects, load),
            finish=FinishParts(batches=self.batches, queue=self.queue, objects=self.objects, now=lambda: NOW),
            fail=FailBatches(self.batches, lambda: NOW),
            window=Window(PartPlans(self.objects), self.queue, self.window),
            max_attempts=3,
            calls=self.calls,
        )

    def message(self, number: int = 0, **changes: object) -> RunPart:
        fields = {"batch_id": self.batch.batch_id, "tenant": "north", "position": number, "number": number}
        return RunPart.model_validate({**fields, **changes})

    def __call__(self, number: int = 0, receives: int = 1, seconds: float = 10.0, **changes: object) -> Outcome:
        """Run one part as a receive."""
        body = encode_message(self.message(number, **changes))
        received = Received(f"message-{number}", f"receipt-{number}", body, Priority.NORMAL, receives)
        (outcome,) = self.worker.run([received], self.has_time, seconds)
        return outcome

    @property
    def record(self) -> Batch:
        return self.batches.records[self.batch.batch_id]

    def files(self, number: int = 0) -> tuple[bytes, bytes]:
        """Return the files that count of a part: predictions and errors."""
        part = self.batches.part(self.batch.batch_id, number)
        assert part is not None
        keys = BatchKeys(self.batch.batch_id, self.batch.output_format)
        found = [self.objects.get(key) for key in (keys.part_output(part), keys.part_errors(part))]
        assert found[0] is not None
        assert found[1] is not None
        return found[0].body, found[1].body

    def output(self, number: int = 0) -> dict[int, list[float]]:
        """Return the predictions of a part by row."""
        rows = decode_output(self.files(number)[0], self.batch.output_format).to_pylist()
        return {row["row"]: [row[name] for name in ("home", "draw", "away")] for row in rows}

    def errors(self, number: int = 0) -> dict[int, str]:
        """Return the codes of a part's errors by row."""
        rows = decode_errors(self.files(number)[1], self.batch.output_format).to_pylist()
        return {row["row"]: row["code"] for row in rows}

    def runs_again(self, numbers: Sequence[int] = (0,)) -> None:
        """Have the batch run some parts in its next generation."""
        generation = self.record.generation + 1
        self.objects.put(BatchKeys(self.batch.batch_id).plan(generation), json.dumps(list(numbers)).encode())
        ended = sum(part.succeeded for part in self.batches.parts(self.batch.batch_id))
        begun = {"generation": generation, "parts": len(numbers), "parts_done": 0, "succeeded": ended, "failed": 1}
        self.batches.records[self.batch.batch_id] = self.record.model_copy(update=begun)
