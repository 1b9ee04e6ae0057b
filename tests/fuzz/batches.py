"""Batches of a tenant in memory, in the states that requests can find them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from matchcast.adapters.in_memory import InMemoryKeys, InMemoryObjects
from matchcast.batch_messages import SplitBatch
from matchcast.batches.submit import SubmitBatch
from matchcast.batches.track import TrackBatches
from matchcast.batches.uploads import MakeUpload
from matchcast.bootstrap import batches as made
from matchcast.domain.batch import Batch, BatchStatus
from matchcast.domain.task import TaskError, is_task_id
from tests.support.batches import InMemoryBatches, InMemoryBatchQueue, InMemoryFiles
from tests.support.releases import Release
from tests.support.stored_batches import a_batch, a_part, running
from tests.support.tasks import NOW

if TYPE_CHECKING:
    import pytest

BATCH_IDS = tuple(f"019cb2d1-7c00-7000-9000-{number:012x}" for number in range(4))
INPUT = "input/north/01234567-89ab-4def-8123-456789abcdef.csv"


class Records(InMemoryBatches):
    """Records that are asked for nothing that is no id of a batch."""

    def get_many(self, batch_ids: Sequence[str]) -> Mapping[str, Batch]:
        assert all(map(is_task_id, batch_ids))
        return super().get_many(batch_ids)

    def forget(self) -> None:
        self._batches.clear()
        self._parts.clear()


class BatchesWorld:
    """What manage_batches works on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.records, self.queue, self.release = Records(), InMemoryBatchQueue(), Release()
        self.files = InMemoryFiles(self.release.objects)
        self.files.put(INPUT, b"match_id\nx\n")
        patch.setattr(made, "make_upload", lambda: MakeUpload(self.files, lambda: NOW, 3600))
        patch.setattr(made, "submit_batch", self.submit)
        patch.setattr(made, "track_batches", self.track)
        patch.setattr(made, "download_link", lambda key, name: self.files.download_link(key, name, 900))

    def submit(self) -> SubmitBatch:
        return SubmitBatch(
            batches=self.records,
            index=self.records,
            queue=self.queue,
            keys=InMemoryKeys(),
            objects=InMemoryObjects(),
            files=self.files,
            models=self.release.models,
            snapshots=self.release.snapshots,
            limit=10,
            lifetime=timedelta(days=1),
            now=lambda: NOW,
        )

    def track(self) -> TrackBatches:
        return TrackBatches(
            batches=self.records, index=self.records, queue=self.queue, keys=InMemoryKeys(), now=lambda: NOW
        )

    def begin(self) -> None:
        """Forget what earlier cases made."""
        self.records.forget()
        self.queue.messages.clear()
        waiting, works, ended, failed = (a_batch(batch_id=each) for each in BATCH_IDS)
        files: dict[str, Any] = {"status": BatchStatus.SUCCEEDED, "output_generation": 0, "succeeded": 17, "failed": 3}
        lost = {"status": BatchStatus.FAILED, "error": TaskError(code="dead-lettered", detail="Lost.")}
        for batch in (waiting, running(works), running(ended, **files), failed.model_copy(update=lost)):
            self.records.create(batch)
        self.records.finish_part(running(works), a_part(), None)

    @property
    def begun(self) -> int:
        """Return how many batches this case has accepted or begun again; their parts will be counted."""
        return len({message.batch_id for message in self.queue.bodies if isinstance(message, SplitBatch)})
