"""Ports of batches in memory, which keep the promises of DynamoDB, SQS and S3."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.batch_messages import BatchMessage, RunPart
from matchcast.batches.ports import StoredFile, UploadForm
from matchcast.domain.batch import Batch, BatchStatus, Part
from matchcast.domain.task import IdPage


class InMemoryBatches:
    """A `BatchStore` and its `BatchIndex` in dictionaries; a lock stands for conditions and transactions."""

    def __init__(self) -> None:
        self._batches: dict[str, Batch] = {}
        self._parts: dict[tuple[str, int], Part] = {}
        self._attempts: dict[tuple[str, int, int], int] = {}
        self._lock = threading.Lock()

    def get_many(self, batch_ids: Sequence[str]) -> Mapping[str, Batch]:
        """Return the batches that exist, by id."""
        return {batch_id: self._batches[batch_id] for batch_id in batch_ids if batch_id in self._batches}

    def create(self, batch: Batch) -> bool:
        """Put a new batch; False if a record with its id is there already."""
        with self._lock:
            return self._batches.setdefault(batch.batch_id, batch) is batch

    def change(self, batch: Batch, over: Collection[BatchStatus], generation: int | None = None) -> bool:
        """Write a batch over a record in one of some states; what parts add to stays as it is while they may end."""
        with self._lock:
            record = self._batches.get(batch.batch_id)
            expected = batch.generation if generation is None else generation
            if record is None or record.status not in over or record.generation != expected:
                return False
            if BatchStatus.RUNNING in over:
                counts = {"succeeded": record.succeeded, "failed": record.failed, "parts_done": record.parts_done}
                batch = batch.model_copy(update=counts)
            self._batches[batch.batch_id] = batch
            return True

    def parts(self, batch_id: str) -> Sequence[Part]:
        """Return the parts that have ended, in any generation, by number."""
        mine = [part for (of, _), part in list(self._parts.items()) if of == batch_id]
        return sorted(mine, key=lambda part: part.number)

    def part(self, batch_id: str, number: int) -> Part | None:
        """Return a part as it last ended."""
        return self._parts.get((batch_id, number))

    def finish_part(self, batch: Batch, part: Part, before: Part | None) -> bool:
        """Write how a part ended and add its counts to those of its batch, both or neither."""
        with self._lock:
            record, present = self._batches.get(batch.batch_id), self._parts.get((batch.batch_id, part.number))
            if record is None or record.status is not BatchStatus.RUNNING or record.generation != part.generation:
                return False
            if (present and present.generation) != (before and before.generation):
                return False
            if present is not None and present.generation >= part.generation:
                return False
            self._parts[batch.batch_id, part.number] = part
            counts = {
                "succeeded": record.succeeded + part.succeeded - (before.succeeded if before else 0),
                "failed": record.failed + part.retriable,
                "parts_done": record.parts_done + 1,
            }
            self._batches[batch.batch_id] = record.model_copy(update=counts)
            return True

    def record_part_attempt(self, batch_id: str, number: int, generation: int) -> int:
        """Count a failed attempt of a part in a generation, and return the count."""
        with self._lock:
            name = (batch_id, number, generation)
            self._attempts[name] = self._attempts.get(name, 0) + 1
            return self._attempts[name]

    def list_ids(self, tenant: str, before: str | None, limit: int) -> IdPage:
        """Return up to `limit` ids of a tenant's batches older than the id `before`."""
        mine = [batch.batch_id for batch in list(self._batches.values()) if batch.tenant == tenant]
        ids = sorted((each for each in mine if before is None or each < before), reverse=True)
        return IdPage(ids[:limit], next_before=ids[limit - 1] if len(ids) > limit else None)

    def count_open(self, tenant: str, now: datetime, most: int) -> int:
        """Return how many batches of a tenant have not ended, counted to `most`."""
        mine = [batch for batch in list(self._batches.values()) if batch.tenant == tenant]
        return min(most, sum(not batch.status.is_final and batch.expires_at >= now for batch in mine))


@dataclass
class InMemoryBatchQueue:
    """A `BatchQueue` that keeps what was sent, with its delay; who delivers a message takes it out."""

    messages: list[tuple[BatchMessage | RunPart, int]] = field(default_factory=list)

    def send(self, message: BatchMessage, delay_seconds: int = 0) -> None:
        """Keep a message."""
        self.messages.append((message, delay_seconds))

    def send_parts(self, parts: Sequence[RunPart], delay_seconds: int = 0) -> None:
        """Keep the messages of parts."""
        self.messages += [(part, delay_seconds) for part in parts]

    @property
    def bodies(self) -> list[BatchMessage | RunPart]:
        """Return the messages that wait, without their delays."""
        return [message for message, _ in self.messages]


class InMemoryFiles:
    """A `FileStore` over the objects of an `InMemoryObjects`; each content of a key is a version of its own."""

    def __init__(self, objects: InMemoryObjects) -> None:
        self._objects = objects
        self._versions: dict[tuple[str, str], bytes] = {}

    def put(self, key: str, body: bytes) -> None:
        """Upload a file, as a client does."""
        self._objects.put(key, body)

    def head(self, key: str) -> StoredFile | None:
        """Return what an object is, or None where there is none."""
        stored = self._objects.get(key)
        if stored is None:
            return None
        version = hashlib.sha256(stored.body).hexdigest()[:32]
        self._versions[key, version] = stored.body
        return StoredFile(key, version, stored.etag, len(stored.body))

    def download(self, key: str, version_id: str | None, path: Path) -> bool:
        """Write a version of an object to a local file; False if it is not there."""
        if version_id is None:
            stored = self._objects.get(key)
            body = None if stored is None else stored.body
        else:
            body = self._versions.get((key, version_id))
        if body is None:
            return False
        path.write_bytes(body)
        return True

    def forget(self, key: str) -> None:
        """Delete an object and all its versions."""
        self._objects.delete([key])
        self._versions = {name: body for name, body in self._versions.items() if name[0] != key}

    def upload(self, path: Path, key: str, content_type: str) -> None:
        """Write a local file to an object."""
        self._objects.put(key, path.read_bytes(), content_type)

    def upload_form(self, key: str, max_bytes: int, seconds: int) -> UploadForm:
        """Return a form that says what it was made for."""
        return UploadForm("https://bucket.example/", {"key": key, "bytes": str(max_bytes), "seconds": str(seconds)})

    def download_link(self, key: str, filename: str, seconds: int) -> str:
        """Return an address that says what it was made for."""
        return f"https://bucket.example/{key}?filename={filename}&seconds={seconds}"
