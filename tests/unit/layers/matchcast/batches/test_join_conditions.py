"""When a join does nothing, and when it refuses: what the records say is still to be done decides, not the message."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from matchcast.batch_messages import JoinBatch, RunPart, SplitBatch
from matchcast.domain.batch import Batch, BatchKeys, BatchStatus
from matchcast.errors import UnexpectedFault
from tests.support.batch_flow import MIXED, Flow
from tests.support.tasks import NOW


def split(flow: Flow) -> Batch:
    """Return a batch that runs, of whose parts none has ended."""
    batch = flow.submitted(MIXED)
    flow.work.do(SplitBatch(batch_id=batch.batch_id, tenant="north"))
    return batch


def run_all(flow: Flow, batch: Batch) -> None:
    for number in range(3):
        flow.run_part(RunPart(batch_id=batch.batch_id, tenant="north", position=number, number=number))


def join(flow: Flow, batch: Batch) -> None:
    flow.work.do(JoinBatch(batch_id=batch.batch_id, tenant="north"))


def test_a_join_that_comes_too_early_does_nothing() -> None:
    # GIVEN
    flow = Flow()
    batch = split(flow)

    # WHEN
    join(flow, batch)

    # THEN
    assert flow.batch(batch).status is BatchStatus.RUNNING
    assert flow.raw.get(BatchKeys(batch.batch_id, batch.output_format).output(0)) is None


def test_an_expired_batch_is_not_joined() -> None:
    # GIVEN
    flow = Flow()
    batch = split(flow)
    run_all(flow, batch)
    flow.now = NOW + timedelta(days=1)

    # WHEN
    join(flow, batch)

    # THEN
    assert flow.batch(batch).status is BatchStatus.RUNNING


def test_a_join_that_is_overtaken_by_another_one_and_a_retry_writes_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a cancelled batch, and a join of it that stops before it reads the parts
    flow = Flow(size=2, window=1)
    batch = flow.submitted(MIXED)
    for _ in range(3):
        flow.step()
    flow.track.cancel("north", batch.batch_id)
    files: list[tuple[bytes, bytes]] = []
    parts = flow.records.parts

    def overtaken(batch_id: str) -> Any:
        monkeypatch.setattr(flow.records, "parts", parts)
        flow.settle()
        files.append(flow.files(batch))
        flow.track.retry_failed("north", batch.batch_id)
        flow.settle()
        return parts(batch_id)

    monkeypatch.setattr(flow.records, "parts", overtaken)

    # WHEN it goes on after the rest of the rows has run in the next generation
    join(flow, batch)

    # THEN the files of the first one are as they were
    keys = BatchKeys(batch.batch_id, batch.output_format)
    assert flow.batch(batch).output_generation == 1
    found = [flow.raw.get(key) for key in (keys.output(0), keys.errors(0))]
    assert [stored and stored.body for stored in found] == list(files[0])


@pytest.mark.parametrize(
    "changes",
    [{"succeeded": 7}, {"total": 11}, {"status": BatchStatus.CANCELLING, "total": 11}],
    ids=["other counts", "another total", "another total while it is cancelled"],
)
def test_files_that_are_not_what_was_counted_are_refused(changes: dict[str, Any]) -> None:
    # GIVEN a record that does not agree with the parts
    flow = Flow()
    batch = split(flow)
    run_all(flow, batch)
    record = flow.batch(batch)
    flow.records._batches[batch.batch_id] = record.model_copy(update=changes)

    # WHEN they are joined
    # THEN
    with pytest.raises(UnexpectedFault, match="were counted"):
        join(flow, batch)
    assert not flow.batch(batch).status.is_final


def test_a_split_that_lost_the_race_sends_no_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a worker whose batch is cancelled while it reads the input
    flow = Flow()
    batch = flow.submitted(MIXED)
    flow.queue.messages.clear()
    download = flow.uploads.download

    def cancelled(*args: Any) -> bool:
        flow.track.cancel("north", batch.batch_id)
        return download(*args)

    monkeypatch.setattr(flow.uploads, "download", cancelled)

    # WHEN
    flow.work.do(SplitBatch(batch_id=batch.batch_id, tenant="north"))

    # THEN
    assert flow.batch(batch).status is BatchStatus.CANCELLED
    assert flow.queue.messages == []


def test_who_measured_first_decides_how_many_rows_a_part_has(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a worker that measures two rows a part while another one has decided for four
    flow = Flow(size=2)
    batch = flow.submitted(MIXED)
    get = flow.get

    def late(*args: Any) -> Any:
        flow.raw.put(BatchKeys(batch.batch_id).cut, b"4")
        return get(*args)

    monkeypatch.setattr(flow, "get", late)

    # WHEN
    flow.work.do(SplitBatch(batch_id=batch.batch_id, tenant="north"))

    # THEN
    assert (flow.batch(batch).part_rows, flow.batch(batch).parts) == (4, 3)
