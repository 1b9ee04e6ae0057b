"""Which parts a generation runs, and how many of them are in the lane at once.

A worker sends the part one window further on before it does its own. So each part that is delivered brings the next
one, whatever becomes of its worker, and no more than a window of a batch wait among the tasks of others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from matchcast.batch_messages import RunPart
from matchcast.batches.ports import BatchQueue
from matchcast.domain.batch import Batch, BatchKeys
from matchcast.errors import BatchFilesMissing
from matchcast.ports import ObjectStore


class PartPlans:
    """The numbers of the parts that each generation runs; the first one runs all."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._last: tuple[tuple[str, int], Sequence[int]] | None = None

    def write(self, batch: Batch, numbers: Sequence[int]) -> Sequence[int]:
        """Keep the plan of a generation, and return it: that of whoever was first.

        A second message may be planned while parts of this generation end already, and would find fewer to run.
        """
        key = BatchKeys(batch.batch_id).plan(batch.generation)
        if self._objects.switch(key, json.dumps(list(numbers), separators=(",", ":")).encode(), None):
            return numbers
        return self._read(batch)

    def read(self, batch: Batch) -> Sequence[int]:
        """Return the numbers of the parts that a running batch runs in its present generation."""
        if batch.generation == 0:
            return range(batch.parts or 0)
        name = (batch.batch_id, batch.generation)
        if self._last is None or self._last[0] != name:
            self._last = name, self._read(batch)
        return self._last[1]

    def _read(self, batch: Batch) -> Sequence[int]:
        key = BatchKeys(batch.batch_id).plan(batch.generation)
        stored = self._objects.get(key)
        if stored is None:
            raise BatchFilesMissing(f"{key} is missing: the batch {batch.batch_id} cannot go on.")
        numbers: list[int] = json.loads(stored.body)
        return numbers


class Window:
    """Sends parts to the normal lane, `size` of a batch at once."""

    def __init__(self, plans: PartPlans, queue: BatchQueue, size: int) -> None:
        self._plans = plans
        self._queue = queue
        self._size = size

    def begin(self, batch: Batch) -> None:
        """Send the first parts of a batch that has begun to run; doing it again does no harm."""
        self._send(batch, range(self._size))

    def go_on(self, batch: Batch, position: int) -> None:
        """Send the part whose turn comes with the one at `position`, if there is one."""
        self._send(batch, [position + self._size])

    def _send(self, batch: Batch, positions: Sequence[int]) -> None:
        numbers = self._plans.read(batch)
        if parts := [_message(batch, at, numbers[at]) for at in positions if at < len(numbers)]:
            self._queue.send_parts(parts)


def _message(batch: Batch, position: int, number: int) -> RunPart:
    return RunPart(
        batch_id=batch.batch_id, tenant=batch.tenant, generation=batch.generation, position=position, number=number
    )
