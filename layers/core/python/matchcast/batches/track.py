"""Status, list, progress, cancellation and retry of a tenant's batches. Every read checks lifetimes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from matchcast.batch_messages import JoinBatch
from matchcast.batches.ports import BatchIndex, BatchQueue, BatchStore
from matchcast.batches.retry import SAFETY_SECONDS, check_retriable, run_again
from matchcast.domain.batch import Batch, BatchStatus, Part
from matchcast.domain.task import is_task_id
from matchcast.echo import cut
from matchcast.errors import BatchGone, BatchNotFound, Conflict, FieldError, KeyReused
from matchcast.ports import IdempotencyKeys, KeyRecord
from matchcast.tasks.accept import IdempotencyKey

_PAGE = 100
_MAX_PAGES = 5


@dataclass(frozen=True, slots=True)
class BatchPage:
    """Some batches, newest first, and the id after which the next page begins (None: there is none)."""

    batches: list[Batch]
    next_before: str | None


@dataclass(frozen=True, slots=True)
class PartPage:
    """Some parts that have ended, by number, and the number after which the next page begins (None: there is none)."""

    parts: Sequence[Part]
    next_after: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How fast the present generation goes, and when it will have ended; None while nothing is known."""

    rows_per_second: float | None
    ends_at: datetime | None


def progress_of(batch: Batch, now: datetime) -> Progress:
    """Return how fast a batch goes; of one that is over, how fast it went."""
    if batch.started_at is None or batch.to_run is None or batch.queued is None:
        return Progress(None, None)
    until = batch.completed_at or now
    seconds = (until - batch.started_at).total_seconds()
    # What was cancelled has not been run; before the files are joined it counts as queued.
    run = batch.to_run - batch.queued - batch.cancelled
    if seconds <= 0 or run <= 0:
        return Progress(None, None)
    if batch.status is not BatchStatus.RUNNING:
        return Progress(run / seconds, None)
    return Progress(run / seconds, until + timedelta(seconds=batch.queued * seconds / run))


def find_batch(batches: BatchStore, tenant: str, batch_id: str, now: datetime) -> Batch:
    """Return the record of a tenant's batch.

    Raises
    ------
    BatchNotFound
        If there is none, it is another tenant's, or it was forgotten.
    BatchGone
        If it expired within the last seven days.
    """
    batch = batches.get_many([batch_id]).get(batch_id) if is_task_id(batch_id) else None
    if batch is None or batch.tenant != tenant or not batch.is_remembered_at(now):
        raise BatchNotFound(f"There is no batch {cut(batch_id)}.")
    if not batch.is_readable_at(now):
        raise BatchGone(f"The batch {batch_id} expired at {batch.expires_at:%Y-%m-%dT%H:%M:%SZ}; submit it again.")
    return batch


class TrackBatches:
    """Reads, cancels and retries batches for the tenant that owns them."""

    def __init__(
        self,
        *,
        batches: BatchStore,
        index: BatchIndex,
        queue: BatchQueue,
        keys: IdempotencyKeys,
        now: Callable[[], datetime],
    ) -> None:
        self._batches = batches
        self._index = index
        self._queue = queue
        self._keys = keys
        self._now = now

    def status(self, tenant: str, batch_id: str) -> Batch:
        """Return a batch, or raise what `find_batch` raises."""
        return find_batch(self._batches, tenant, batch_id, self._now())

    def list(
        self, tenant: str, *, before: str | None = None, limit: int = 50, status: BatchStatus | None = None
    ) -> BatchPage:
        """Return up to `limit` readable batches of a tenant, newest first, older than the id `before`."""
        now = self._now()
        found: list[Batch] = []
        for _ in range(_MAX_PAGES):
            page = self._index.list_ids(tenant, before, _PAGE if status else limit - len(found))
            records = self._batches.get_many(page.ids)
            for batch_id in page.ids:
                # The index lags behind the table: an id without a record was deleted by its TTL.
                batch = records.get(batch_id)
                if batch is not None and batch.is_readable_at(now) and status in (None, batch.status):
                    found.append(batch)
                    if len(found) == limit:
                        return BatchPage(found, next_before=batch_id)
            before = page.next_before
            if before is None:
                break
        return BatchPage(found, next_before=before)

    def parts(self, tenant: str, batch_id: str, *, after: int | None = None, limit: int = 100) -> PartPage:
        """Return up to `limit` parts that have ended in any generation, with numbers above `after`."""
        self.status(tenant, batch_id)
        rest = [part for part in self._batches.parts(batch_id) if after is None or part.number > after]
        return PartPage(rest[:limit], next_after=rest[limit - 1].number if len(rest) > limit else None)

    def progress(self, batch: Batch) -> Progress:
        """Return how fast a batch goes; of one that is over, how fast it went."""
        return progress_of(batch, self._now())

    def cancel(self, tenant: str, batch_id: str) -> Batch:
        """Return the batch, which is cancelled or will soon be; cancelling again is no error.

        Raises
        ------
        BatchNotFound, BatchGone
            As for `status`.
        Conflict
            If it ended in another way.
        """
        while True:
            batch = self.status(tenant, batch_id)
            if batch.status is BatchStatus.CANCELLED:
                return batch
            if batch.status.is_final:
                raise Conflict(f"The batch {batch_id} is {batch.status} already; only an open one can be cancelled.")
            join = JoinBatch(batch_id=batch_id, tenant=tenant, generation=batch.generation)
            if batch.status is BatchStatus.CANCELLING:
                self._queue.send(join)
                return batch
            if batch.total is None:
                ended = {"status": BatchStatus.CANCELLED, "completed_at": self._now()}
                if self._change(cancelled := batch.model_copy(update=ended), batch):
                    return cancelled
                continue
            self._queue.send(join, SAFETY_SECONDS)
            cancelling = batch.model_copy(update={"status": BatchStatus.CANCELLING})
            if self._change(cancelling, batch):
                self._queue.send(join)
                return cancelling

    def retry_failed(self, tenant: str, batch_id: str, key: IdempotencyKey | None = None) -> tuple[Batch, bool]:
        """Run the failed and cancelled rows of a batch again; return it, and whether this call had it run.

        With a key the batch is run again once, whatever has become of it when the request is repeated.

        Raises
        ------
        BatchNotFound, BatchGone
            As for `status`.
        KeyReused
            If the key was used with another request.
        Conflict
            If the batch has not ended, or no row of it can be run again.
        """
        batch = self.status(tenant, batch_id)
        if key is None:
            check_retriable(batch)
            return self._run_again(batch, batch.generation + 1)
        generation = self._promised(batch, key)
        if batch.generation >= generation:
            return batch, False
        return self._run_again(batch, generation)

    def _promised(self, batch: Batch, key: IdempotencyKey) -> int:
        """Return the generation that a key stands for; the first request with it decides."""
        now = self._now()
        known = self._keys.find(batch.tenant, key.value, now)
        if known is None:
            check_retriable(batch)
            mine = KeyRecord(f"{batch.batch_id}-{batch.generation + 1}", key.fingerprint, now)
            if self._keys.claim(batch.tenant, key.value, mine, batch.expires_at):
                return batch.generation + 1
            known = self._keys.find(batch.tenant, key.value, now) or mine
        batch_id, _, generation = known.task_id.rpartition("-")
        if known.fingerprint != key.fingerprint or batch_id != batch.batch_id:
            detail = "This key was used with another request. Send a new key, or the request as it was."
            raise KeyReused(detail, [FieldError(detail=detail, header="Idempotency-Key")])
        return int(generation)

    def _run_again(self, batch: Batch, generation: int) -> tuple[Batch, bool]:
        queued = run_again(self._batches, self._queue, batch, generation)
        # Else another request was faster.
        return (queued, True) if queued else (self.status(batch.tenant, batch.batch_id), False)

    def _change(self, changed: Batch, before: Batch) -> bool:
        return self._batches.change(changed, [before.status], before.generation)
