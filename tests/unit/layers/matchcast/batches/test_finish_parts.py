"""When a batch is joined: by whoever finds that its last part has ended, and by nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.batch_messages import JoinBatch
from matchcast.batches.finish import FinishParts
from matchcast.domain.batch import BatchStatus
from tests.support.stored_batches import SentMessages, StoredBatches, a_batch, running
from tests.support.tasks import NOW


@pytest.mark.parametrize(
    ("changes", "is_joined"),
    [
        ({}, True),
        ({"parts_done": 1}, False),
        ({"generation": 1}, False),
        ({"status": BatchStatus.SUCCEEDED}, False),
        ({"status": BatchStatus.CANCELLING}, False),
        ({"status": BatchStatus.QUEUED}, False),
    ],
)
def test_only_a_batch_whose_parts_of_this_generation_have_all_ended_is_joined(
    changes: dict[str, Any], is_joined: bool
) -> None:
    # GIVEN a batch as a worker read it, and as it is now
    batch, batches, queue = running(a_batch()), StoredBatches(), SentMessages()
    batches.create(batch.model_copy(update={"parts_done": 2, **changes}))
    finish = FinishParts(batches=batches, queue=queue, objects=InMemoryObjects(), now=lambda: NOW)

    # WHEN
    finish.join_if_done(batch)

    # THEN
    join = JoinBatch(batch_id=batch.batch_id, tenant="north")
    assert queue.messages == ([(join, 0)] if is_joined else [])


def test_a_batch_that_is_gone_is_not_joined() -> None:
    queue = SentMessages()

    FinishParts(batches=StoredBatches(), queue=queue, objects=InMemoryObjects(), now=lambda: NOW).join_if_done(
        running(a_batch())
    )

    assert queue.messages == []
