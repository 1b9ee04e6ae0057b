"""Messages of batches that cannot be done: each is buried with its cause, and no batch waits for it for good."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from matchcast.batch_messages import BatchMessage, JoinBatch, LosePart, RunPart, SplitBatch, encode_message
from matchcast.batches.attend import AttendBatches
from matchcast.batches.sweep import SweepBatchLetters
from matchcast.domain.batch import Batch
from matchcast.domain.task import Priority
from matchcast.errors import StorageUnavailable
from matchcast.ports import Received
from matchcast.tasks.settle import RENEW_AFTER_RECEIVES, Outcome
from tests.support.batch_flow import MIXED, Flow
from tests.support.run_predictions import Lanes
from tests.support.tasks import NOW

GONE = "batch-files-missing"


@dataclass
class Attendant:
    """The worker of the queue of batches over a service in memory."""

    flow: Flow = field(default_factory=lambda: Flow(size=5))
    lanes: Lanes = field(default_factory=Lanes)

    def __call__(self, message: BatchMessage | str, receives: int = 1) -> Outcome:
        body = message if isinstance(message, str) else encode_message(message)
        worker = AttendBatches(
            work=self.flow.work,
            batches=self.flow.records,
            queue=self.flow.queue,
            lanes=self.lanes,
            now=lambda: NOW,
        )
        return worker.attend(Received("message", "receipt", body, Priority.NORMAL, receives))

    def running(self, ended: int = 0) -> Batch:
        """Return a batch of two parts, of which some have ended."""
        batch = self.flow.submitted(MIXED)
        for _ in range(1 + ended):
            self.flow.step()
        return batch

    def state(self, batch: Batch) -> tuple[str, str | None]:
        """Return the status of a batch, and the code of its error."""
        present = self.flow.batch(batch)
        return present.status.value, None if present.error is None else present.error.code

    def delete(self, name: str) -> None:
        """Delete the objects with a name in their keys."""
        found = [key for key in self.flow.raw._bodies if name in key]
        assert found
        self.flow.raw.delete(found)

    @property
    def causes(self) -> list[str | None]:
        return [letter.cause for letter in self.lanes.dead_letters]


def named(kind: Any, batch: Batch, **more: Any) -> Any:
    return kind(batch_id=batch.batch_id, tenant="north", generation=batch.generation, **more)


@pytest.mark.parametrize("name", ["input/00000.parquet", "request.json"])
def test_a_lost_part_whose_files_are_gone_fails_its_batch_unless_it_can_be_ended(name: str) -> None:
    # GIVEN
    attend = Attendant()
    batch = attend.running()
    attend.delete(name)

    # WHEN
    outcome = attend(named(LosePart, batch, position=0, number=0))

    # THEN
    assert outcome.done
    needed = name != "request.json"
    assert (attend.state(batch), attend.causes) == ((("failed", GONE), [GONE]) if needed else (("running", None), []))


@pytest.mark.parametrize("is_cancelled", [False, True])
@pytest.mark.parametrize("name", ["parts/00001", "errors.jsonl"])
def test_a_join_whose_part_files_are_gone_fails_its_batch(name: str, is_cancelled: bool) -> None:
    # GIVEN a batch whose parts have ended, and whose files somebody has deleted
    attend = Attendant()
    batch = attend.running(ended=2)
    if is_cancelled:
        attend.flow.track.cancel("north", batch.batch_id)
    attend.delete(name)

    # WHEN it is joined
    outcome = attend(named(JoinBatch, batch))

    # THEN its client can read what happened, and what to do
    assert outcome.done
    assert (attend.state(batch), attend.causes) == (("failed", GONE), [GONE])
    error = attend.flow.batch(batch).error
    assert error is not None
    assert "Submit it again" in error.detail


def test_a_batch_whose_request_is_gone_fails_when_it_is_split() -> None:
    attend = Attendant()
    batch = attend.flow.submitted(MIXED)
    attend.delete("request.json")

    assert attend(named(SplitBatch, batch)).done
    assert (attend.state(batch), attend.causes) == (("failed", GONE), [GONE])


def test_a_split_that_comes_before_its_record_and_finds_no_request_comes_again() -> None:
    # GIVEN a submission that has sent its message, and not put its record yet; somebody deletes its request
    attend = Attendant()
    batch = attend.flow.submitted(MIXED)
    del attend.flow.records._batches[batch.batch_id]
    attend.delete("request.json")

    # WHEN the message comes
    # THEN it waits for the record
    assert not attend(named(SplitBatch, batch)).done

    # WHEN the record is there
    attend.flow.records.create(batch)
    # THEN
    assert attend(named(SplitBatch, batch), receives=2).done
    assert attend.state(batch) == ("failed", GONE)


def test_a_split_of_a_batch_that_never_was_is_given_up() -> None:
    attend = Attendant()
    message = SplitBatch(batch_id="x", tenant="north")

    assert attend(message, receives=RENEW_AFTER_RECEIVES).done
    assert attend.causes == ["batch-unknown"]


@pytest.mark.parametrize("generation", [0, 1])
def test_a_message_of_a_later_version_fails_the_batch_that_it_names(generation: int) -> None:
    # GIVEN code that was rolled back, and a message of the newer one
    attend = Attendant()
    batch = attend.flow.submitted(MIXED)
    body = encode_message(named(SplitBatch, batch)).replace('"version":1', '"version":2')

    # WHEN it comes
    outcome = attend(body.replace('"generation":0', f'"generation":{generation}'))

    # THEN
    assert (outcome.done, attend.causes) == (True, ["invalid-message"])
    assert attend.state(batch) == (("queued", None) if generation else ("failed", "invalid-message"))


def test_a_batch_that_was_given_up_while_the_table_was_out_of_reach_ends_when_it_is_back() -> None:
    # GIVEN a batch to be failed, and a table that does not answer
    attend = Attendant()
    batch = attend.running(ended=2)
    attend.delete("parts/00001")
    down = attend.flow.records.change
    attend.flow.records.change = refuse  # type: ignore[method-assign]

    # WHEN its join is given up
    # THEN it comes again
    assert not attend(named(JoinBatch, batch)).done

    # WHEN the queue has given it up, and the table is back
    attend.flow.records.change = down  # type: ignore[method-assign]
    attend.lanes.bury("batches", encode_message(named(JoinBatch, batch)), None, None)
    SweepBatchLetters(attend.lanes, attend.flow.records, lambda: NOW).sweep()
    # THEN
    assert attend.state(batch) == ("failed", "dead-lettered")


def refuse(*_: Any, **__: Any) -> bool:
    raise StorageUnavailable("no table")


def test_a_part_that_has_ended_has_sent_the_next_one_whatever_becomes_of_its_message() -> None:
    # GIVEN a window of one part
    attend = Attendant(flow=Flow(size=2, window=1))
    batch = attend.running()
    (first,) = [message for message in attend.flow.queue.bodies if isinstance(message, RunPart)]
    attend.flow.queue.messages.clear()

    # WHEN a part ends whose message is gone
    attend.flow.deliver(first)

    # THEN the next one is in the lane
    assert [message.number for message in attend.flow.queue.bodies if isinstance(message, RunPart)] == [1]
    attend.flow.settle()
    assert attend.state(batch) == ("succeeded", None)


def test_a_part_whose_record_was_deleted_is_dropped() -> None:
    attend = Attendant()
    batch = attend.running()
    del attend.flow.records._batches[batch.batch_id]

    attend.flow.settle()

    assert attend.flow.records._parts == {}
