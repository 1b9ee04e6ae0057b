"""Split an input into parts, and begin to run them; in a later generation, plan which parts run again.

The input is read once, part by part. Until the record says `running`, nothing that was written counts, and all of it
may be written again. What could differ from one try to the next is decided once: how many rows a part has, and which
parts a generation runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from matchcast.batch_messages import JoinBatch, SplitBatch
from matchcast.batches.ahead import ahead
from matchcast.batches.input_rows import Chunk, InputReader
from matchcast.batches.part_files import write_part_input
from matchcast.batches.part_rows import SAMPLE_ROWS, part_rows
from matchcast.batches.plan import PartPlans, Window
from matchcast.batches.ports import BatchQueue, BatchStore, FileStore, Request, TemporaryFolder
from matchcast.domain.batch import Batch, BatchKeys, BatchStatus
from matchcast.domain.manifests import SnapshotManifest
from matchcast.domain.signature import Signature
from matchcast.errors import BatchFilesMissing, BatchUnknown, InputRefused, UnexpectedFault
from matchcast.ports import Model, ObjectStore
from matchcast.releases.pinned_models import PinnedModels
from matchcast.snapshots.features import FeatureTable
from matchcast.tasks.settle import task_error

_WRITES_AT_ONCE = 4

ReadFeatures = Callable[[SnapshotManifest], FeatureTable]
"""Reads the features of a pinned snapshot, verified."""
MakeReader = Callable[[Signature, FeatureTable | None], InputReader]
MeasurePartRows = Callable[[Model, Iterable[Chunk]], int]


class SplitBatches:
    """Begins batches."""

    def __init__(
        self,
        *,
        batches: BatchStore,
        queue: BatchQueue,
        objects: ObjectStore,
        files: FileStore,
        models: PinnedModels,
        features: ReadFeatures,
        reader: MakeReader,
        plans: PartPlans,
        window: Window,
        folder: TemporaryFolder,
        now: Callable[[], datetime],
        part_rows: MeasurePartRows = part_rows,
    ) -> None:
        self._batches = batches
        self._queue = queue
        self._objects = objects
        self._files = files
        self._models = models
        self._features = features
        self._reader = reader
        self._plans = plans
        self._window = window
        self._folder = folder
        self._now = now
        self._measure = part_rows

    def split(self, message: SplitBatch) -> None:
        """Begin a batch if it waits for that; send its first parts again if it has begun.

        Raises
        ------
        MatchcastError
            If it has to be done again, or cannot be: then the batch fails with this once its message is buried.
        """
        batch = self._record(message)
        if batch.generation != message.generation or not batch.is_readable_at(self._now()):
            return
        if batch.status is BatchStatus.RUNNING:
            self._begin(batch)
        if batch.status is not BatchStatus.QUEUED:
            return
        try:
            running = self._from_input(batch) if batch.total is None else self._from_parts(batch)
        except InputRefused as error:
            failed = {"status": BatchStatus.FAILED, "error": task_error(error), "completed_at": self._now()}
            self._batches.change(batch.model_copy(update=failed), [BatchStatus.QUEUED])
            return
        if self._batches.change(running, [BatchStatus.QUEUED]):
            self._begin(running)

    def _record(self, message: SplitBatch) -> Batch:
        """Return the record; one that its submission did not come to write is made of what it kept.

        Where that is gone too, the record may still come: a message that was dropped now would never be sent again.
        """
        found = self._batches.get_many([message.batch_id]).get(message.batch_id)
        if found is not None:
            return found
        stored = self._objects.get(BatchKeys(message.batch_id).request)
        if stored is None:
            raise BatchUnknown(f"There is neither a record nor a request of the batch {message.batch_id}.")
        batch = Request.model_validate_json(stored.body).batch
        self._batches.create(batch)
        return self._batches.get_many([message.batch_id]).get(message.batch_id, batch)

    def _begin(self, running: Batch) -> None:
        if running.all_parts_done:
            join = JoinBatch(batch_id=running.batch_id, tenant=running.tenant, generation=running.generation)
            self._queue.send(join)
        else:
            self._window.begin(running)

    def _from_parts(self, batch: Batch) -> Batch:
        """Return the batch as it runs the parts that have rows to run again."""
        ended = {part.number: part for part in self._batches.parts(batch.batch_id)}
        count = -(-(batch.total or 0) // (batch.part_rows or 1))
        again = [number for number in range(count) if number not in ended or ended[number].retriable]
        succeeded = sum(part.succeeded for part in ended.values())
        return self._running(batch, succeeded=succeeded, parts=len(self._plans.write(batch, again)))

    def _from_input(self, batch: Batch) -> Batch:
        """Return the batch as it runs all parts of its input, which are written."""
        with self._folder() as folder:
            request, path = self._request(batch), folder / "input"
            file = batch.provenance.input
            if not self._files.download(file.key, file.version_id, path):
                raise InputRefused("The input file was deleted before it could be read. Upload it again.")
            features = self._features(request.snapshot) if request.snapshot is not None else None
            reader = self._reader(request.model.signature, features)
            rows = self._part_rows(batch, request, reader, path)
            total, invalid = self._write_parts(batch, request.model.signature, reader, path, rows)
        parts = -(-total // rows)
        if batch.generation:
            parts = len(self._plans.write(batch, range(parts)))
        split = {"total": total, "invalid": invalid, "part_rows": rows}
        return self._running(batch.model_copy(update=split), succeeded=0, parts=parts)

    def _running(self, batch: Batch, *, succeeded: int, parts: int) -> Batch:
        begun = {
            "status": BatchStatus.RUNNING,
            "succeeded": succeeded,
            "failed": batch.invalid,
            "cancelled": 0,
            "parts": parts,
            "parts_done": 0,
            "to_run": (batch.total or 0) - succeeded - batch.invalid,
            "started_at": self._now(),
        }
        return batch.model_copy(update=begun)

    def _part_rows(self, batch: Batch, request: Request, reader: InputReader, path: Path) -> int:
        """Return how many rows each part has. Whoever is first decides: a model is never as fast twice."""
        key = BatchKeys(batch.batch_id).cut
        stored = self._objects.get(key)
        if stored is None:
            model = self._models.get(request.model, batch.provenance.model.stage)
            rows = self._measure(model.model, reader.read(path, batch.provenance.input, SAMPLE_ROWS))
            if self._objects.switch(key, json.dumps(rows).encode(), None):
                return rows
            stored = self._objects.get(key)
        if stored is None:
            raise UnexpectedFault(f"{key} was refused as written already, and is not there.")
        return int(json.loads(stored.body))

    def _write_parts(
        self, batch: Batch, signature: Signature, reader: InputReader, path: Path, rows: int
    ) -> tuple[int, int]:
        """Write the inputs of all parts; return how many rows there are, and how many of them are wrong."""
        keys = BatchKeys(batch.batch_id)
        total = invalid = 0

        def write(chunk: Chunk) -> tuple[int, int]:
            body = write_part_input(signature.names, chunk)
            self._objects.put(keys.part_input(chunk.first // rows), body)
            return len(chunk), len(chunk.errors)

        for found, wrong in ahead(write, reader.read(path, batch.provenance.input, rows), _WRITES_AT_ONCE):
            total, invalid = total + found, invalid + wrong
        return total, invalid

    def _request(self, batch: Batch) -> Request:
        key = BatchKeys(batch.batch_id).request
        stored = self._objects.get(key)
        if stored is None:
            raise BatchFilesMissing(f"{key} is missing: the batch cannot be split.")
        return Request.model_validate_json(stored.body)
