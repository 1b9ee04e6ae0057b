"""What batches need from outside, besides the data bucket and the lanes (`matchcast.ports`)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from matchcast.batch_messages import BatchMessage, RunPart
from matchcast.domain.batch import Batch, BatchStatus, Part
from matchcast.domain.manifests import PublishedModel, SnapshotManifest
from matchcast.domain.task import IdPage


class Request(BaseModel):
    """What was accepted, kept beside the files of the batch: it never changes, and carries the whole batch.

    `batch` is the record as it was accepted; `model` and `snapshot` are what its rows are predicted with.
    """

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    batch: Batch
    model: PublishedModel
    snapshot: SnapshotManifest | None


class BatchStore(Protocol):
    """The records of batches and parts in the tasks table. Raises StorageUnavailable if it does not answer."""

    def get_many(self, batch_ids: Sequence[str]) -> Mapping[str, Batch]:
        """Return the batches that exist, by id, read consistently."""

    def create(self, batch: Batch) -> bool:
        """Put a new batch; False if a record with its id is there already."""

    def change(self, batch: Batch, over: Collection[BatchStatus], generation: int | None = None) -> bool:
        """Write a batch over a record that is in one of some states, in a generation (default: the batch's own).

        False if the record is in another state or generation, or missing. Where one of the states is `running`, parts
        may end meanwhile: then `succeeded`, `failed` and `parts_done` stay as the record has them.
        """

    def parts(self, batch_id: str) -> Sequence[Part]:
        """Return the parts that have ended, in any generation, by number, read consistently."""

    def part(self, batch_id: str, number: int) -> Part | None:
        """Return a part as it last ended, read consistently."""

    def finish_part(self, batch: Batch, part: Part, before: Part | None) -> bool:
        """Write how a part ended and add its counts to those of its batch, in one transaction.

        `before` is how it ended in an earlier generation. The batch's `succeeded` rises by those that `before` lacks,
        its `failed` by those that are not invalid (these count from the split on), its `parts_done` by one. False if
        the batch does not run in the part's generation any more, or if another worker has ended this part.
        """

    def record_part_attempt(self, batch_id: str, number: int, generation: int) -> int:
        """Count a failed attempt of a part in a generation, and return the count."""


class BatchIndex(Protocol):
    """The index of the tenants' batches."""

    def list_ids(self, tenant: str, before: str | None, limit: int) -> IdPage:
        """Return up to `limit` ids of a tenant's batches older than the id `before`; fewer may not be all."""

    def count_open(self, tenant: str, now: datetime, most: int) -> int:
        """Return how many batches of a tenant have not ended, counted to `most`."""


class BatchQueue(Protocol):
    """Where the messages of batches go. Raises QueueUnavailable if a queue does not answer."""

    def send(self, message: BatchMessage, delay_seconds: int = 0) -> None:
        """Send a message to the queue of batches."""

    def send_parts(self, parts: Sequence[RunPart], delay_seconds: int = 0) -> None:
        """Send parts to the normal lane, ten a call."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A large object of the data bucket, as HEAD describes it."""

    key: str
    version_id: str | None
    etag: str
    size: int


@dataclass(frozen=True, slots=True)
class UploadForm:
    """A presigned POST: the form's address and its fields, in order; the file comes last, as `file`."""

    url: str
    fields: Mapping[str, str]


class FileStore(Protocol):
    """Large files of the data bucket. Raises StorageUnavailable if it does not answer."""

    def head(self, key: str) -> StoredFile | None:
        """Return what an object is, or None where there is none."""

    def download(self, key: str, version_id: str | None, path: Path) -> bool:
        """Write a version of an object to a local file; False if it is not there (any more)."""

    def upload(self, path: Path, key: str, content_type: str) -> None:
        """Write a local file to an object, in pieces where it is large; readers see all of it or none."""

    def upload_form(self, key: str, max_bytes: int, seconds: int) -> UploadForm:
        """Return what a client needs to upload one object of at most `max_bytes` under this key, for some seconds."""

    def download_link(self, key: str, filename: str, seconds: int) -> str:
        """Return an address at which an object can be read for some seconds."""


TemporaryFolder = Callable[[], AbstractContextManager[Path]]
"""Makes a local folder that is removed afterwards."""
