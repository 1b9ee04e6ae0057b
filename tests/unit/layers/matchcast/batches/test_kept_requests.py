"""A worker keeps what was accepted of a few batches, and of no more."""

from __future__ import annotations

import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.batches.ports import Request
from matchcast.batches.run_parts import KEPT_REQUESTS
from matchcast.domain.batch import Batch, BatchKeys
from matchcast.errors import BatchFilesMissing
from tests.support.part_workers import PartWorker
from tests.support.releases import published
from tests.support.stored_batches import a_batch


def test_the_request_that_was_not_used_for_longest_goes() -> None:
    # GIVEN requests of more batches than are kept, the first of which is used again
    objects = InMemoryObjects()
    worker = PartWorker(objects=objects)

    def use(batch: Batch) -> Request:
        return worker.worker._request(batch)

    batches = [a_batch() for _ in range(KEPT_REQUESTS + 1)]
    for batch in batches:
        request = Request(batch=batch, model=published(), snapshot=None)
        objects.put(BatchKeys(batch.batch_id).request, request.model_dump_json().encode())
    for batch in batches[:KEPT_REQUESTS]:
        use(batch)
    use(batches[0])

    # WHEN one more is used, and none can be read again
    use(batches[-1])
    objects.delete([BatchKeys(batch.batch_id).request for batch in batches])

    # THEN
    assert use(batches[0]).batch == batches[0]
    with pytest.raises(BatchFilesMissing):
        use(batches[1])
