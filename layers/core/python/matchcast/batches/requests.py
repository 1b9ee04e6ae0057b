"""What was accepted of a batch, kept before its message is sent: the first to keep it decides, and it never changes."""

from __future__ import annotations

from matchcast.batch_messages import SplitBatch
from matchcast.batches.ports import BatchQueue, Request
from matchcast.domain.batch import Batch, BatchKeys
from matchcast.domain.manifests import PublishedModel, SnapshotManifest
from matchcast.errors import UnexpectedFault
from matchcast.ports import ObjectStore


class Requests:
    """The requests of batches, in the data bucket."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def find(self, batch_id: str) -> Batch | None:
        """Return a batch as it was accepted; None if it was not, yet."""
        stored = self._objects.get(BatchKeys(batch_id).request)
        return None if stored is None else Request.model_validate_json(stored.body).batch

    def keep(self, batch: Batch, published: PublishedModel, snapshot: SnapshotManifest | None) -> Batch:
        """Keep a request unless another caller with the same id has kept one; return the batch of the one that counts.

        Raises
        ------
        StorageUnavailable
            If it may not be kept.
        """
        key = BatchKeys(batch.batch_id).request
        body = Request(batch=batch, model=published, snapshot=snapshot).model_dump_json().encode()
        if self._objects.switch(key, body, None):
            return batch
        found = self.find(batch.batch_id)
        if found is None:
            raise UnexpectedFault(f"{key} was refused as written already, and is not there.")
        return found


class SplitOutbox:
    """Sends the message that has a batch split."""

    def __init__(self, queue: BatchQueue) -> None:
        self._queue = queue

    def send(self, batch: Batch, delay_seconds: int = 0, /) -> None:
        """Send it."""
        self._queue.send(SplitBatch(batch_id=batch.batch_id, tenant=batch.tenant), delay_seconds)
