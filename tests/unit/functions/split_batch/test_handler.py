"""A message of the queue of batches, from the event to what comes again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from functions.split_batch import handler
from matchcast.adapters.in_memory import InMemoryLanes
from matchcast.batch_messages import SplitBatch, encode_message
from matchcast.batches.attend import AttendBatches
from matchcast.bootstrap import batch_work
from matchcast.domain.batch import BatchStatus
from matchcast.errors import StorageUnavailable
from tests.support.batch_flow import Flow, good
from tests.support.http_events import Context
from tests.support.logs import capture_logs
from tests.support.tasks import NOW

EVENT = json.loads((Path(handler.__file__).parent / "event.json").read_text())


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch) -> Flow:
    flow = Flow()
    lanes = InMemoryLanes()
    worker = AttendBatches(work=flow.work, batches=flow.records, queue=flow.queue, lanes=lanes, now=lambda: NOW)
    monkeypatch.setattr(batch_work, "attend_batches", lambda: worker)
    return flow


def record(body: str, number: int = 0, **changes: Any) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": "1"}
    made = {"messageId": f"m{number}", "receiptHandle": f"r{number}", "body": body, "attributes": attributes}
    return {**made, **changes}


def invoke(*records: dict[str, Any]) -> list[str]:
    answer = handler.lambda_handler({"Records": list(records)}, Context())
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


def test_a_message_has_its_batch_split(flow: Flow) -> None:
    # GIVEN
    batch = flow.submitted([good(number) for number in range(5)])

    # WHEN
    again = invoke(record(encode_message(SplitBatch(batch_id=batch.batch_id, tenant="north"))))

    # THEN
    assert again == []
    assert (flow.batch(batch).status, flow.batch(batch).parts) == (BatchStatus.RUNNING, 2)


def test_the_example_event_is_read_and_concerns_no_batch(flow: Flow) -> None:
    assert invoke(*EVENT["Records"]) == []


@pytest.mark.parametrize("lacking", ["messageId", "receiptHandle", "body", "attributes"])
def test_a_record_that_lacks_something_concerns_no_other(flow: Flow, lacking: str) -> None:
    # GIVEN
    batch = flow.submitted([good(0)])
    body = encode_message(SplitBatch(batch_id=batch.batch_id, tenant="north"))
    odd = record("{}", 1)
    del odd[lacking]

    # WHEN
    again = invoke(odd, record(body, 2))

    # THEN
    assert again == []
    assert flow.batch(batch).status is BatchStatus.RUNNING


def test_a_message_that_failed_comes_again_and_says_why(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    logged = capture_logs(monkeypatch)
    batch = flow.submitted([good(0)])
    body = encode_message(SplitBatch(batch_id=batch.batch_id, tenant="north"))

    def fail(_: object) -> None:
        raise StorageUnavailable("no table")

    monkeypatch.setattr(flow.work, "do", fail)

    # WHEN
    again = invoke(record(body))

    # THEN
    assert again == ["m0"]
    (line,) = logged.lines
    assert (line["message"], line["code"]) == ("message postponed", "storage-unavailable")


def test_a_fault_that_nobody_foresaw_is_logged_with_its_trace(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    logged = capture_logs(monkeypatch)
    batch = flow.submitted([good(0)])
    body = encode_message(SplitBatch(batch_id=batch.batch_id, tenant="north"))

    def fail(_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(flow.work, "do", fail)

    # WHEN
    again = invoke(record(body))

    # THEN
    assert again == []
    assert "ZeroDivisionError" in logged.getvalue()
    assert flow.batch(batch).status is BatchStatus.FAILED
