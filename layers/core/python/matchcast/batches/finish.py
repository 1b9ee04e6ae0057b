"""The end of a part: its files, then its counts, then the join if it was the last one.

Each step may be done again, by the same message or by another worker. The counts name the files that count: where two
workers end a part differently, one transaction wins, and the other's files are never read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from matchcast.batch_messages import JoinBatch
from matchcast.batches.part_files import (
    NO_OUTPUT,
    PartRows,
    decode_output,
    encode_table,
    in_row_order,
    read_part_input,
)
from matchcast.batches.ports import BatchQueue, BatchStore
from matchcast.domain.batch import Batch, BatchKeys, BatchStatus, Part, RowError
from matchcast.errors import BatchFilesMissing, UnexpectedFault
from matchcast.ports import ObjectStore

if TYPE_CHECKING:
    import pyarrow as pa


class FinishParts:
    """Reads what a part has, and ends it."""

    def __init__(
        self, *, batches: BatchStore, queue: BatchQueue, objects: ObjectStore, now: Callable[[], datetime]
    ) -> None:
        self._batches = batches
        self._queue = queue
        self._objects = objects
        self._now = now

    def open(self, batch_id: str, generation: int, number: int) -> tuple[Batch, Part | None] | None:
        """Return the batch of a part that is still to be ended, and how the part ended in an earlier generation.

        None: there is nothing to do. If the part has ended and was the last one, the batch is joined.
        """
        batch = self._batches.get_many([batch_id]).get(batch_id)
        is_running = batch is not None and batch.status is BatchStatus.RUNNING and batch.generation == generation
        if batch is None or not is_running or not batch.is_readable_at(self._now()):
            return None
        part = self._batches.part(batch_id, number)
        if part is None or part.generation < generation:
            return batch, part
        self.join_if_done(batch)
        return None

    def rows(self, batch: Batch, number: int) -> PartRows:
        """Return the rows of a part as they were split, or raise BatchFilesMissing."""
        return read_part_input(self._get(BatchKeys(batch.batch_id).part_input(number)))

    def earlier_output(self, batch: Batch, before: Part | None) -> pa.Table:
        """Return what was predicted of a part in an earlier generation; an empty table where nothing was."""
        if before is None or not before.succeeded:
            return NO_OUTPUT
        key = BatchKeys(batch.batch_id, batch.output_format).part_output(before)
        return decode_output(self._get(key), batch.output_format)

    def finish(
        self, batch: Batch, number: int, rows: PartRows, *, output: pa.Table, failed: pa.Table, before: Part | None
    ) -> bool:
        """End a part; return whether this call is the one that did.

        Parameters
        ----------
        batch, number, rows
            The part, and all its rows.
        output
            Its predictions in row order, those of earlier generations included.
        failed
            The errors of rows that could have been predicted; those of the input are added.
        before
            How it ended in an earlier generation.

        Raises
        ------
        UnexpectedFault
            If a row is in neither table, or in both.
        """
        errors = in_row_order(rows.invalid, failed)
        together = np.concatenate([table.column("row").to_numpy() for table in (output, errors)])
        if not np.array_equal(np.sort(together), rows.known.column("row").to_numpy()):
            raise UnexpectedFault(f"The files of part {number} of the batch {batch.batch_id} are not its rows.")
        bodies = [encode_table(table, batch.output_format) for table in (output, errors)]
        part = Part(
            number=number,
            generation=batch.generation,
            rows=len(rows),
            invalid=rows.invalid.num_rows,
            succeeded=output.num_rows,
            failed=errors.num_rows,
            files=hashlib.sha256(b"".join(hashlib.sha256(body).digest() for body in bodies)).hexdigest()[:16],
        )
        keys = BatchKeys(batch.batch_id, batch.output_format)
        self._objects.put(keys.part_output(part), bodies[0])
        self._objects.put(keys.part_errors(part), bodies[1])
        ended = self._batches.finish_part(batch, part, before)
        self.join_if_done(batch)
        return ended

    def give_up(self, batch: Batch, number: int, before: Part | None, error: RowError) -> bool:
        """End a part that cannot be predicted: what was predicted before stays, every other good row gets the error."""
        rows, output = self.rows(batch, number), self.earlier_output(batch, before)
        failed = rows.failures(rows.without(output), error)
        return self.finish(batch, number, rows, output=output, failed=failed, before=before)

    def join_if_done(self, batch: Batch) -> None:
        """Have the batch joined if every part of its present generation has ended."""
        present = self._batches.get_many([batch.batch_id]).get(batch.batch_id)
        if present is None or present.generation != batch.generation:
            return
        if present.status is BatchStatus.RUNNING and present.all_parts_done:
            self._queue.send(JoinBatch(batch_id=batch.batch_id, tenant=batch.tenant, generation=batch.generation))

    def _get(self, key: str) -> bytes:
        stored = self._objects.get(key)
        if stored is None:
            raise BatchFilesMissing(f"{key} is missing: the part that needs it cannot be ended.")
        return stored.body
