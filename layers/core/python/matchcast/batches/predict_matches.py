"""The predictions of a snapshot's matches by a batch of its own, where they are too many for one invocation.

The id of the batch is a digest of the model and the matches. So an invocation finds the batch that an earlier one made,
whatever that one came to, and a batch of another version or of other features is another batch. Its tenant is no name
that a token can have: nobody else sees it, and no limit of a tenant counts it.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from matchcast.batches.matches_file import ROWS_AT_ONCE, read_probabilities, write_matches
from matchcast.batches.part_files import decode_errors
from matchcast.batches.ports import BatchQueue, BatchStore, FileStore, TemporaryFolder
from matchcast.batches.requests import Requests, SplitOutbox
from matchcast.batches.retry import check_retriable, run_again
from matchcast.domain.batch import SNAPSHOTS_TENANT, Batch, BatchKeys, BatchStatus, FileFormat, InputFile, Provenance
from matchcast.domain.manifests import PublishedModel
from matchcast.echo import cut, quoted
from matchcast.errors import Conflict, PredictionsPending, ReleaseRaceLost, ReleaseRefused
from matchcast.ports import ObjectStore
from matchcast.releases.served_models import LoadedModel
from matchcast.snapshots.due_predictions import probabilities
from matchcast.tasks.accept import send_and_record

if TYPE_CHECKING:
    from matchcast.ports import Rows
    from matchcast.snapshots.scoring import Floats

REST_SECONDS = 360.0
"""What the rest of a snapshot needs, of as many matches as fit into the memory of its function."""
_SLOWEST_POLL_SECONDS = 5.0
_SAMPLE_ROWS = 100
_TOLERANCE = 1e-5
"""How far two processors may be apart with one float32 model."""


@dataclass(frozen=True)
class _Asked:
    """What is to be predicted: float32 rows, shape (matches, signature inputs), by one version of a model."""

    model: LoadedModel
    match_ids: Sequence[str]
    rows: Rows

    @cached_property
    def digest(self) -> bytes:
        """Return what tells it from anything else that may be asked."""
        digest = hashlib.sha256(f"{self.model.stage}\n{self.model.published.model_dump_json()}\n".encode())
        for start in range(0, len(self.rows), ROWS_AT_ONCE):
            some = slice(start, start + ROWS_AT_ONCE)
            digest.update("\n".join([*self.match_ids[some], ""]).encode())
            digest.update(np.ascontiguousarray(self.rows[some]).data)
        return digest.digest()

    def batch_id(self, attempt: int) -> str:
        """Return an id of the form of a UUID of version 7, the same for the same rows and attempt."""
        value = int.from_bytes(hashlib.sha256(self.digest + attempt.to_bytes(4)).digest()[:16])
        value = value & ~(0xF << 76) | 0x7 << 76
        return str(uuid.UUID(int=value & ~(0b11 << 62) | 0b10 << 62))

    @property
    def sample(self) -> Rows:
        """Return some rows, spread evenly."""
        return self.rows[:: -(-len(self.rows) // _SAMPLE_ROWS)]


class PredictMatches:
    """Predicts matches by a batch, and waits for it.

    Parameters
    ----------
    is_published
        Tells whether a stage still has this version of a model.
    lifetime
        How long a batch and its files are kept.
    seconds_left
        How long the invocation may still go on.
    """

    def __init__(
        self,
        *,
        batches: BatchStore,
        queue: BatchQueue,
        objects: ObjectStore,
        files: FileStore,
        folder: TemporaryFolder,
        is_published: Callable[[str, PublishedModel], bool],
        lifetime: timedelta,
        seconds_left: Callable[[], float],
        now: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._batches = batches
        self._queue = queue
        self._requests = Requests(objects)
        self._objects = objects
        self._files = files
        self._folder = folder
        self._is_published = is_published
        self._lifetime = lifetime
        self._seconds_left = seconds_left
        self._now = now
        self._sleep = sleep

    def predict(self, model: LoadedModel, match_ids: Sequence[str], rows: Rows) -> Floats:
        """Return float64 probabilities, shape (matches, 3), those that `probabilities` would give.

        Raises
        ------
        PredictionsPending
            If the batch has not ended in time; the next call with the same rows goes on with it.
        ReleaseRefused
            If the batch failed, or a row of it; those rows that can be run again are.
        ReleaseRaceLost
            If another version was published meanwhile.
        """
        asked = _Asked(model, match_ids, rows)
        # Workers take what a model gives as it is; a sample is held against what a snapshot demands of it.
        expected = probabilities(model, asked.sample)
        found = self._read(self._ended(asked), match_ids)
        step = -(-len(rows) // _SAMPLE_ROWS)
        if not (np.abs(found[::step] - expected) <= _TOLERANCE).all():
            raise ReleaseRefused(
                "The batch of the snapshot's predictions has others than the model gives here. Workers and this "
                "function do not run the same code; deploy them together."
            )
        return found

    def _ended(self, asked: _Asked) -> Batch:
        """Return the batch when it has predicted every match."""
        attempts, pause = count(), 0.25
        batch = self._accepted(asked, asked.batch_id(next(attempts)))
        while True:
            if not self._is_published(asked.model.stage, asked.model.published):
                raise ReleaseRaceLost("Another version was published while this one made the snapshot's predictions.")
            if not batch.is_readable_at(self._now()):
                batch = self._accepted(asked, asked.batch_id(next(attempts)))
                continue
            if batch.status.is_final:
                break
            if self._seconds_left() < REST_SECONDS:
                done = f"{batch.succeeded} of {len(asked.rows)} predictions"
                raise PredictionsPending(f"The batch {batch.batch_id} has made {done}. The next refresh goes on.")
            self._sleep(pause)
            pause = min(1.5 * pause, _SLOWEST_POLL_SECONDS)
            batch = self._accepted(asked, batch.batch_id)
        if batch.status is not BatchStatus.SUCCEEDED or batch.failed:
            raise self._refusal(batch)
        return batch

    def _accepted(self, asked: _Asked, batch_id: str) -> Batch:
        """Return the batch with an id, made if there is none; whatever an earlier call came to do is done once more."""
        found = self._batches.get_many([batch_id]).get(batch_id)
        if found is not None:
            return found
        batch = self._requests.find(batch_id) or self._keep(asked, batch_id)
        if batch.is_readable_at(self._now()):
            send_and_record(SplitOutbox(self._queue), self._batches, batch)
        return batch

    def _keep(self, asked: _Asked, batch_id: str) -> Batch:
        published, now = asked.model.published, self._now()
        key = f"{BatchKeys(batch_id).folder}matches.parquet"
        with self._folder() as folder:
            path = folder / "input"
            write_matches(path, published.signature, asked.match_ids, asked.rows)
            self._files.upload(path, key, "application/vnd.apache.parquet")
            size = path.stat().st_size
        batch = Batch(
            batch_id=batch_id,
            tenant=SNAPSHOTS_TENANT,
            provenance=Provenance(
                model=published.ref(asked.model.stage),
                model_files={name: entry.sha256 for name, entry in published.files.items()},
                snapshot_id=None,
                snapshot_features=None,
                # No version: nobody writes anything else under this key.
                input=InputFile(
                    key=key, version_id=None, etag=asked.digest.hex(), size=size, format=FileFormat.PARQUET
                ),
            ),
            created_at=now,
            expires_at=now + self._lifetime,
        )
        return self._requests.keep(batch, published, None)

    def _read(self, batch: Batch, match_ids: Sequence[str]) -> Floats:
        keys = BatchKeys(batch.batch_id)
        with self._folder() as folder:
            path = folder / "output"
            if batch.output_generation is None or not self._files.download(
                keys.output(batch.output_generation), None, path
            ):
                raise ReleaseRefused(f"The output file of the batch {batch.batch_id} is missing.")
            return read_probabilities(path, match_ids)

    def _refusal(self, batch: Batch) -> ReleaseRefused:
        """Return why there is no snapshot, after what failed was sent to run again."""
        try:
            check_retriable(batch)
        except Conflict:
            then = "It would fail again: mend the dataset, or publish another version."
        else:
            run_again(self._batches, self._queue, batch, batch.generation + 1)
            then = "What failed runs again, and the next refresh goes on with it."
        rows = f"has {batch.failed} failed rows of {batch.total}, the first one" if batch.error is None else "failed"
        return ReleaseRefused(
            f"The batch {batch.batch_id}, which predicts the snapshot's matches, {rows}: {self._reason(batch)} {then}"
        )

    def _reason(self, batch: Batch) -> str:
        """Return what the batch failed with, or else its first row."""
        if batch.error is not None:
            return f"{batch.error.code}, {cut(batch.error.detail)}"
        stored = self._objects.get(BatchKeys(batch.batch_id).errors(batch.output_generation or 0))
        if stored is None:
            return "its error file is missing."
        [row] = decode_errors(stored.body, FileFormat.PARQUET).slice(0, 1).to_pylist()
        return f"{quoted(row['custom_id'] or '')} {row['code']}, {cut(row['detail'])}"
