"""Batches and parts, and what a worker leaves of them in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from matchcast.batch_messages import BatchMessage, RunPart
from matchcast.domain.batch import Batch, BatchStatus, FileFormat, InputFile, Part, Provenance
from matchcast.domain.task import new_task_id
from tests.support.batches import InMemoryBatches
from tests.support.tasks import MODEL, NOW


def a_batch(**changes: Any) -> Batch:
    """Return a batch of tenant `north`, as it is when it was accepted."""
    created_at = changes.pop("created_at", NOW)
    file = InputFile(key="input/north/1.csv", version_id="1", etag='"e"', size=3, format=FileFormat.CSV)
    fields: dict[str, Any] = {
        "batch_id": new_task_id(created_at),
        "tenant": "north",
        "provenance": Provenance(model=MODEL, model_files={}, snapshot_id=None, snapshot_features=None, input=file),
        "created_at": created_at,
        "expires_at": created_at + timedelta(days=1),
    }
    return Batch(**{**fields, **changes})


def running(batch: Batch, parts: int = 2, part_rows: int = 10, **changes: Any) -> Batch:
    """Return a batch that was split into some parts."""
    split = {"total": parts * part_rows, "part_rows": part_rows, "parts": parts, "started_at": NOW}
    return batch.model_copy(update={"status": BatchStatus.RUNNING, **split, **changes})


def a_part(number: int = 0, **changes: Any) -> Part:
    """Return how a part of ten rows ended, of which one was wrong and two failed."""
    fields = {"number": number, "generation": 0, "rows": 10, "invalid": 1, "succeeded": 7, "failed": 3, "files": "0a"}
    return Part.model_validate({**fields, **changes})


class StoredBatches(InMemoryBatches):
    """Batches in memory that show what they have."""

    @property
    def records(self) -> dict[str, Batch]:
        return self._batches

    @property
    def ended(self) -> dict[tuple[str, int], Part]:
        return self._parts

    @property
    def attempts(self) -> dict[tuple[str, int, int], int]:
        return self._attempts


@dataclass
class SentMessages:
    """A `BatchQueue` that remembers what was sent, and with what delay."""

    messages: list[tuple[BatchMessage, int]] = field(default_factory=list)
    parts: list[tuple[RunPart, int]] = field(default_factory=list)

    def send(self, message: BatchMessage, delay_seconds: int = 0) -> None:
        self.messages.append((message, delay_seconds))

    def send_parts(self, parts: Sequence[RunPart], delay_seconds: int = 0) -> None:
        self.parts += [(part, delay_seconds) for part in parts]
