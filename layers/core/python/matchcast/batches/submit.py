"""Accept a batch: its request is kept, then the message is sent, then the record is put; only then is the answer 202.

The request pins the version of the model and the snapshot, and is never written again: whoever sends the message once
more, for the same key, sends it for what was accepted at first.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from matchcast.batches.ports import BatchIndex, BatchQueue, BatchStore, FileStore
from matchcast.batches.requests import Requests, SplitOutbox
from matchcast.batches.uploads import find_input
from matchcast.domain.batch import Batch, BatchKeys, FileFormat, InputFile, Provenance
from matchcast.domain.manifests import ModelManifest, SnapshotManifest
from matchcast.echo import quoted
from matchcast.errors import (
    FieldError,
    InvalidRequest,
    SnapshotNotPublished,
    SnapshotUnavailable,
    StageNotFound,
    TooManyBatches,
)
from matchcast.ports import IdempotencyKeys, ObjectStore
from matchcast.releases.readers import ManifestReader
from matchcast.snapshots.contract import MATCH_FEATURES_FILE
from matchcast.tasks.accept import Accept, IdempotencyKey

RETRY_AFTER_SECONDS = 60
"""When a tenant with too many open batches may ask again: a batch takes minutes."""


@dataclass(frozen=True, slots=True)
class BatchSubmission:
    """A request for a batch: its rows, as match ids or as the key of an upload, and by which stage's model.

    Whoever sets `callback_url` has checked it.
    """

    stage: str = "champion"
    match_ids: Sequence[str] | None = None
    input_key: str | None = None
    output_format: FileFormat = FileFormat.PARQUET
    callback_url: str | None = None


class SubmitBatch:
    """Checks a submission and has its batch accepted.

    Parameters
    ----------
    limit
        How many batches of a tenant may be open at the same time.
    lifetime
        How long a batch and its files are kept.
    """

    def __init__(
        self,
        *,
        batches: BatchStore,
        index: BatchIndex,
        queue: BatchQueue,
        keys: IdempotencyKeys,
        objects: ObjectStore,
        files: FileStore,
        models: ManifestReader[ModelManifest],
        snapshots: ManifestReader[SnapshotManifest],
        limit: int,
        lifetime: timedelta,
        now: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._accept = Accept(records=batches, outbox=SplitOutbox(queue), keys=keys, now=now, sleep=sleep)
        self._index = index
        self._objects = objects
        self._requests = Requests(objects)
        self._files = files
        self._models = models
        self._snapshots = snapshots
        self._limit = limit
        self._lifetime = lifetime

    def submit(
        self, tenant: str, asked: BatchSubmission | Callable[[], BatchSubmission], key: IdempotencyKey | None = None
    ) -> tuple[Batch, bool]:
        """Return the accepted batch, and whether this call sent it (or an earlier one with the same key).

        A submission that has to be found first is found only if no earlier call with the key was accepted.

        Raises
        ------
        StageNotFound, InputNotFound, InvalidRequest, ContentTooLarge
            What the client got wrong.
        KeyReused
            If the key was used with another request.
        TooManyBatches
            If the tenant has as many open batches as it may have.
        QueueUnavailable, StorageUnavailable, ModelUnavailable, SnapshotUnavailable
            The batch was not accepted.
        """

        def make(batch_id: str, created_at: datetime) -> Batch:
            kept = self._requests.find(batch_id)
            if kept is not None:
                return kept
            found = asked if isinstance(asked, BatchSubmission) else asked()
            return self._keep(tenant, found, batch_id, created_at)

        return self._accept.accept(tenant, make, key)

    def _keep(self, tenant: str, asked: BatchSubmission, batch_id: str, created_at: datetime) -> Batch:
        """Check a submission and keep its request; return the batch of the one that is kept."""
        if asked.output_format is FileFormat.CSV:
            detail = "The output is parquet or jsonl."
            raise InvalidRequest(detail, [FieldError(pointer="/output_format", detail=detail)])
        published = self._models.current().stages.get(asked.stage)
        if published is None:
            raise StageNotFound(f"No model is published under the stage {quoted(asked.stage)}.")
        snapshot = self._snapshot(needed=asked.match_ids is not None)
        if self._index.count_open(tenant, created_at, self._limit) >= self._limit:
            raise TooManyBatches(
                f"You have {self._limit} open batches, which is as many as you may have. "
                "Submit more when one of them has ended, or cancel one.",
                RETRY_AFTER_SECONDS,
            )
        batch = Batch(
            batch_id=batch_id,
            tenant=tenant,
            output_format=asked.output_format,
            provenance=Provenance(
                model=published.ref(asked.stage),
                model_files={name: entry.sha256 for name, entry in published.files.items()},
                snapshot_id=snapshot and snapshot.snapshot_id,
                snapshot_features=snapshot and _features_of(snapshot),
                input=self._input(tenant, asked, batch_id),
            ),
            created_at=created_at,
            expires_at=created_at + self._lifetime,
            callback_url=asked.callback_url,
        )
        return self._requests.keep(batch, published, snapshot)

    def _snapshot(self, *, needed: bool) -> SnapshotManifest | None:
        """Return the present snapshot; a file of features alone can do without any."""
        try:
            return self._snapshots.current()
        except SnapshotNotPublished:
            if needed:
                raise
            return None

    def _input(self, tenant: str, asked: BatchSubmission, batch_id: str) -> InputFile:
        if (asked.match_ids is None) == (asked.input_key is None):
            raise InvalidRequest("Send either match_ids or input.")
        if asked.input_key is not None:
            return find_input(self._files, tenant, asked.input_key)
        if not asked.match_ids:
            detail = "Send at least one match id."
            raise InvalidRequest(detail, [FieldError(pointer="/match_ids", detail=detail)])
        key = BatchKeys(batch_id).match_ids
        body = "".join(json.dumps({"match_id": match_id}) + "\n" for match_id in asked.match_ids).encode()
        self._objects.put(key, body, "application/x-ndjson")
        # No version: nobody writes anything else under this key, and an older version would be deleted earlier.
        digest = hashlib.sha256(body).hexdigest()
        return InputFile(key=key, version_id=None, etag=digest, size=len(body), format=FileFormat.JSONL)


def _features_of(snapshot: SnapshotManifest) -> str:
    """Return the digest of a snapshot's file of features."""
    features = snapshot.files.get(MATCH_FEATURES_FILE)
    if features is None:
        raise SnapshotUnavailable(f"The manifest of the snapshot {snapshot.snapshot_id} has no {MATCH_FEATURES_FILE}.")
    return features.sha256
