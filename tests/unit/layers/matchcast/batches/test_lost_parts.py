"""Letters of batches: the sweep has every part ended that a batch waits for, and a batch fails after its burial."""

from __future__ import annotations

import pytest

from matchcast.batch_messages import LosePart, RunPart, SplitBatch, encode_message
from matchcast.batches.attend import AttendBatches
from matchcast.batches.sweep import LostParts
from matchcast.domain.batch import Batch, BatchKeys, BatchStatus
from matchcast.domain.task import Priority
from matchcast.errors import BatchFilesMissing
from matchcast.ports import DeadLetter, Received
from tests.support.batch_flow import Flow, good
from tests.support.batches import InMemoryBatches, InMemoryBatchQueue
from tests.support.stored_batches import a_batch, a_part, running
from tests.support.tasks import NOW


@pytest.mark.parametrize(
    ("ended", "changes", "is_ended_again"),
    [
        (False, {"parts_done": 0}, True),
        (True, {"parts_done": 1}, False),
        (True, {"parts_done": 2}, True),  # its worker died before it had the batch joined
        (True, {"parts_done": 2, "status": BatchStatus.SUCCEEDED}, False),
    ],
)
def test_a_part_whose_message_was_given_up_is_ended_if_its_batch_waits_for_that(
    ended: bool, changes: dict[str, object], is_ended_again: bool
) -> None:
    # GIVEN a batch of two parts, and the letter of one of them
    store, queue = InMemoryBatches(), InMemoryBatchQueue()
    batch = running(a_batch())
    store.create(batch)
    if ended:
        store.finish_part(batch, a_part(), None)
    store._batches[batch.batch_id] = store._batches[batch.batch_id].model_copy(update=changes)
    letter = encode_message(RunPart(batch_id=batch.batch_id, tenant="north", position=0, number=0))

    # WHEN the sweep meets it
    found = LostParts(store, queue, lambda: NOW).lose([DeadLetter("normal", "1", "receipt", letter, None, NOW)])

    # THEN
    lost = [LosePart(batch_id=batch.batch_id, tenant="north", position=0, number=0)]
    assert queue.bodies == (lost if is_ended_again else [])
    assert found == len(queue.bodies)


def test_a_batch_that_cannot_be_split_fails_once_its_message_is_buried() -> None:
    # GIVEN a batch whose request is gone
    flow = Flow()
    batch = flow.submitted([good(1)])
    flow.raw.delete([BatchKeys(batch.batch_id).request])
    states: list[BatchStatus] = []

    class Lanes:
        def bury(self, *_: object) -> None:
            states.append(flow.batch(batch).status)

    lanes: object = Lanes()
    worker = AttendBatches(
        work=flow.work,
        batches=flow.records,
        queue=flow.queue,
        lanes=lanes,  # type: ignore[arg-type]
        now=lambda: flow.now,
    )

    # WHEN its message comes
    body = encode_message(SplitBatch(batch_id=batch.batch_id, tenant="north"))
    outcome = worker.attend(Received("1", "receipt", body, Priority.NORMAL, 1))

    # THEN it was still open when the message was buried, and failed afterwards
    assert outcome.done
    assert isinstance(outcome.problem, BatchFilesMissing)
    assert states == [BatchStatus.QUEUED]
    failed: Batch = flow.batch(batch)
    assert (failed.status, failed.error and failed.error.code) == (BatchStatus.FAILED, "batch-files-missing")
