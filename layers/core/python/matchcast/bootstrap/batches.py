"""What the API does with batches: uploads, submissions, status, cancellations and retries; and the links of files."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from matchcast.adapters.dynamodb_records import DynamoDBKeys
from matchcast.batches.submit import SubmitBatch
from matchcast.batches.track import TrackBatches
from matchcast.batches.uploads import MakeUpload
from matchcast.bootstrap import batch_storage, releases, table
from matchcast.domain.task import utc_now
from matchcast.settings import ManageBatchesSettings, TaskSettings

UPLOAD_SECONDS = 3600
"""How long a form takes a file; an upload that has begun may last longer."""
LINK_SECONDS = 900
"""How long an address of a file works."""


@cache
def make_upload() -> MakeUpload:
    """Return what makes forms for uploads."""
    return MakeUpload(batch_storage.files(), utc_now, UPLOAD_SECONDS)


@cache
def submit_batch() -> SubmitBatch:
    """Return what accepts batches."""
    settings = ManageBatchesSettings()
    return SubmitBatch(
        batches=batch_storage.records(),
        index=batch_storage.records(),
        queue=batch_storage.queue(),
        keys=_keys(),
        objects=releases.objects(),
        files=batch_storage.files(),
        models=releases.models(),
        snapshots=releases.snapshots(),
        limit=settings.max_open_batches,
        lifetime=timedelta(seconds=settings.task_lifetime_seconds),
        now=utc_now,
    )


@cache
def track_batches() -> TrackBatches:
    """Return what reads, cancels and retries batches."""
    return TrackBatches(
        batches=batch_storage.records(),
        index=batch_storage.records(),
        queue=batch_storage.queue(),
        keys=_keys(),
        now=utc_now,
    )


def download_link(key: str, filename: str) -> str:
    """Return an address at which an object can be read, and is saved under a file name."""
    return batch_storage.files().download_link(key, filename, LINK_SECONDS)


@cache
def _keys() -> DynamoDBKeys:
    return DynamoDBKeys(table.dynamodb(), TaskSettings().tasks_table_name)
