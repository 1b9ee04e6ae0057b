"""The records of batches for workers: the rows of each part are counted once, by whoever ended it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from matchcast.adapters.dynamodb_batches import DynamoDBBatches
from matchcast.domain.batch import SNAPSHOTS_TENANT

if TYPE_CHECKING:
    from matchcast.domain.batch import Batch, Part


class CountedBatches(DynamoDBBatches):
    """A `BatchStore` that counts the rows of parts that end. Those of snapshots are nobody's requests.

    Parameters
    ----------
    count
        Is told the stage, the outcome, and how many rows had it.
    """

    def __init__(self, client: Any, table: str, count: Callable[[str, str, int], None]) -> None:
        super().__init__(client, table)
        self._count = count

    def finish_part(self, batch: Batch, part: Part, before: Part | None) -> bool:
        """Write how a part ended; of a part that ran before, the rows that were run again are counted."""
        ended = super().finish_part(batch, part, before)
        if ended and batch.tenant != SNAPSHOTS_TENANT:
            rows = {
                "succeeded": part.succeeded - (before.succeeded if before else 0),
                "failed": part.retriable,
                "rejected": 0 if before else part.invalid,
            }
            for outcome, number in rows.items():
                if number:
                    self._count(batch.provenance.model.stage, outcome, number)
        return ended
