"""Join the files of the parts: one file of predictions and one of errors, in input order.

The same parts give the same bytes. So a join may be done twice, or be overtaken by a cancellation in which every part
had ended already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from matchcast.batch_messages import JoinBatch
from matchcast.batches.ahead import ahead
from matchcast.batches.finish import FinishParts
from matchcast.batches.joined_file import CONTENT_TYPES, JoinedFile
from matchcast.batches.part_files import ERRORS, OUTPUT, encode_table, in_row_order
from matchcast.batches.ports import BatchStore, FileStore, TemporaryFolder
from matchcast.domain.batch import Batch, BatchKeys, BatchStatus, Part, RowError
from matchcast.errors import BatchFilesMissing, UnexpectedFault
from matchcast.ports import ObjectStore

CANCELLED = RowError("cancelled", "", "The batch was cancelled before this row had run; retry the batch to run it.")
_PARTS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class _Piece:
    """The files of one part, and how many of its rows were cancelled."""

    output: bytes
    errors: bytes
    cancelled: int = 0


class JoinBatches:
    """Ends batches whose parts have ended, or that are being cancelled."""

    def __init__(
        self,
        *,
        batches: BatchStore,
        finish: FinishParts,
        objects: ObjectStore,
        files: FileStore,
        folder: TemporaryFolder,
        now: Callable[[], datetime],
    ) -> None:
        self._batches = batches
        self._finish = finish
        self._objects = objects
        self._files = files
        self._folder = folder
        self._now = now

    def join(self, message: JoinBatch) -> None:
        """Join a batch if it is time for it.

        Raises
        ------
        BatchFilesMissing, UnexpectedFault
            If files are gone, or are not what was counted.
        StorageUnavailable
            If it has to be done again.
        """
        if self._due(message) is None:
            return
        ended = {part.number: part for part in self._batches.parts(message.batch_id)}
        # While a join is due, no part ends. If it was due before and after they were read, every join reads the same;
        # else the batch may have ended meanwhile, and a retry of it may have ended parts that its files do not have.
        batch = self._due(message)
        if batch is not None:
            self._end(batch, ended)

    def _due(self, message: JoinBatch) -> Batch | None:
        """Return the batch of a message if it is time to join it."""
        batch = self._batches.get_many([message.batch_id]).get(message.batch_id)
        if batch is None or batch.generation != message.generation or not batch.is_readable_at(self._now()):
            return None
        is_done = batch.status is BatchStatus.RUNNING and batch.all_parts_done
        return batch if is_done or batch.status is BatchStatus.CANCELLING else None

    def _end(self, batch: Batch, ended: Mapping[int, Part]) -> None:
        keys = BatchKeys(batch.batch_id, batch.output_format)
        with self._folder() as folder:
            output = JoinedFile(folder / "output", OUTPUT, batch.output_format)
            errors = JoinedFile(folder / "errors", ERRORS, batch.output_format)
            cancelled = 0
            with output, errors:
                for piece in ahead(partial(self._piece, batch, ended), range(_count(batch)), _PARTS_AT_ONCE):
                    output.add(piece.output)
                    errors.add(piece.errors)
                    cancelled += piece.cancelled
            counts = {"succeeded": output.rows, "failed": errors.rows - cancelled, "cancelled": cancelled}
            _check(batch, counts)
            content_type = CONTENT_TYPES[batch.output_format]
            self._files.upload(output.path, keys.output(batch.generation), content_type)
            self._files.upload(errors.path, keys.errors(batch.generation), content_type)
        is_cancelled = batch.status is BatchStatus.CANCELLING
        status = BatchStatus.CANCELLED if is_cancelled else BatchStatus.SUCCEEDED
        final = {"status": status, "output_generation": batch.generation, "completed_at": self._now(), **counts}
        self._batches.change(batch.model_copy(update=final), [batch.status])

    def _piece(self, batch: Batch, ended: Mapping[int, Part], number: int) -> _Piece:
        """Return what a part contributes; where it has not ended in this generation, what there was before."""
        part = ended.get(number)
        if part is not None and (part.generation == batch.generation or not part.retriable):
            keys = BatchKeys(batch.batch_id, batch.output_format)
            return _Piece(self._read(keys.part_output(part)), self._read(keys.part_errors(part)))
        rows, output = self._finish.rows(batch, number), self._finish.earlier_output(batch, part)
        cancelled = rows.failures(rows.without(output), CANCELLED)
        errors = in_row_order(rows.invalid, cancelled)
        encode = partial(encode_table, file_format=batch.output_format)
        return _Piece(encode(output), encode(errors), cancelled.num_rows)

    def _read(self, key: str) -> bytes:
        stored = self._objects.get(key)
        if stored is None:
            raise BatchFilesMissing(f"{key} is missing: its batch cannot be joined.")
        return stored.body


def _count(batch: Batch) -> int:
    """Return how many parts the input was split into; a later generation runs fewer."""
    return -(-(batch.total or 0) // (batch.part_rows or 1))


def _check(batch: Batch, counts: Mapping[str, int]) -> None:
    """Refuse files that are not what was counted."""
    counted = {"succeeded": batch.succeeded, "failed": batch.failed, "cancelled": batch.cancelled}
    is_running = batch.status is BatchStatus.RUNNING
    if sum(counts.values()) != batch.total or (is_running and counts != counted):
        raise UnexpectedFault(
            f"The files of the batch {batch.batch_id} have {dict(counts)} rows, but {counted} of {batch.total} were "
            "counted. Its parts and its files are kept; somebody has changed them, or the code is wrong."
        )
