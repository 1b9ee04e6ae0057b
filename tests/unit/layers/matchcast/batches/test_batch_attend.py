"""The worker of the queue of batches: which messages come again, are buried, or are sent anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from matchcast.adapters.in_memory import InMemoryLanes
from matchcast.batch_messages import BatchMessage, JoinBatch, SplitBatch, encode_message
from matchcast.batches.attend import AttendBatches
from matchcast.domain.batch import Batch, BatchStatus
from matchcast.domain.task import Priority
from matchcast.errors import (
    MatchcastError,
    ModelUnavailable,
    QueueUnavailable,
    ReleaseRefused,
    SnapshotUnavailable,
    StorageUnavailable,
    UnexpectedFault,
)
from matchcast.ports import Received
from matchcast.tasks.settle import LONGEST_RETRY_SECONDS, RENEW_AFTER_RECEIVES, Outcome
from tests.support.stored_batches import SentMessages, StoredBatches, a_batch
from tests.support.tasks import NOW

ENDLESS = [StorageUnavailable("no table"), QueueUnavailable("no queue")]
PASSING = [ModelUnavailable("no room"), SnapshotUnavailable("no snapshot")]
LASTING = [ReleaseRefused("another file"), UnexpectedFault("a defect"), RuntimeError("nobody foresaw it")]


class Work:
    """Does nothing, or raises."""

    def __init__(self) -> None:
        self.done: list[BatchMessage] = []
        self.problem: Exception | None = None

    def do(self, message: BatchMessage) -> None:
        if self.problem is not None:
            raise self.problem
        self.done.append(message)


class Table(StoredBatches):
    """A table that is out of reach for some calls."""

    problem: Exception | None = None
    before_change: Callable[[], None] = staticmethod(lambda: None)

    def get_many(self, batch_ids: object) -> dict[str, Batch]:
        if self.problem is not None:
            raise self.problem
        return dict(self.records)

    def change(self, batch: Batch, over: object, generation: int | None = None) -> bool:
        self.before_change()
        return super().change(batch, over, generation)  # type: ignore[arg-type]


@dataclass
class Attended:
    """A batch, and the worker of its queue."""

    batch: Batch = field(default_factory=a_batch)
    work: Work = field(default_factory=Work)
    table: Table = field(default_factory=Table)
    queue: SentMessages = field(default_factory=SentMessages)
    lanes: InMemoryLanes = field(default_factory=InMemoryLanes)

    def __post_init__(self) -> None:
        self.table.create(self.batch)

    @property
    def message(self) -> SplitBatch:
        return SplitBatch(batch_id=self.batch.batch_id, tenant="north")

    @property
    def record(self) -> Batch:
        return self.table.records[self.batch.batch_id]

    def __call__(self, problem: Exception | None = None, receives: int = 1, body: str | None = None) -> Outcome:
        """Attend to the message, whose work raises the problem."""
        self.work.problem = problem
        worker = AttendBatches(
            work=self.work,  # type: ignore[arg-type]
            batches=self.table,
            queue=self.queue,
            lanes=self.lanes,
            now=lambda: NOW,
        )
        body = encode_message(self.message) if body is None else body
        return worker.attend(Received("m", "r", body, Priority.NORMAL, receives))


def test_a_message_whose_work_is_done_is_deleted() -> None:
    attended = Attended()

    assert attended() == Outcome("m", done=True)
    assert attended.work.done == [attended.message]


@pytest.mark.parametrize(
    "body", ["", "{}", "[" * 20_000, "\udc80", '{"kind":"part"}', '{"kind":"split","batch_id":"/"}']
)
def test_what_is_no_message_is_buried_and_changes_nothing(body: str) -> None:
    # GIVEN
    attended = Attended()

    # WHEN
    outcome = attended(body=body)

    # THEN
    assert outcome.done
    assert [(letter.body, letter.cause) for letter in attended.lanes.dead_letters] == [(body, "invalid-message")]
    assert attended.record == attended.batch


@pytest.mark.parametrize("problem", [*ENDLESS, *PASSING], ids=lambda each: each.code)
def test_a_fault_that_may_pass_brings_the_message_again(problem: MatchcastError) -> None:
    # GIVEN
    attended = Attended()

    # WHEN
    outcome = attended(problem, RENEW_AFTER_RECEIVES - 1)

    # THEN
    assert (outcome.done, outcome.problem) == (False, problem)
    assert attended.record == attended.batch
    assert attended.lanes.dead_letters == []
    assert attended.queue.messages == []


@pytest.mark.parametrize("problem", ENDLESS, ids=lambda each: each.code)
def test_what_is_out_of_reach_is_waited_for_as_long_as_it_takes(problem: MatchcastError) -> None:
    # GIVEN
    attended = Attended()

    # WHEN
    outcome = attended(problem, RENEW_AFTER_RECEIVES)

    # THEN a copy of the message has no receives
    assert outcome.done
    assert attended.queue.messages == [(attended.message, LONGEST_RETRY_SECONDS)]
    assert attended.record == attended.batch


@pytest.mark.parametrize(
    ("problem", "receives"), [*((each, RENEW_AFTER_RECEIVES) for each in PASSING), *((each, 1) for each in LASTING)]
)
def test_what_is_given_up_is_buried_with_its_cause_and_fails_its_batch(problem: Exception, receives: int) -> None:
    # GIVEN
    attended = Attended()

    # WHEN
    outcome = attended(problem, receives)

    # THEN
    assert outcome.done
    code = problem.code if isinstance(problem, MatchcastError) else UnexpectedFault.code
    assert [letter.cause for letter in attended.lanes.dead_letters] == [code]
    assert (attended.record.status, attended.record.completed_at) == (BatchStatus.FAILED, NOW)
    assert attended.record.error is not None
    assert attended.record.error.code == code


def test_a_batch_does_not_fail_before_its_message_is_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN dead letters that take nothing
    attended = Attended()

    def refuse(*_: object) -> None:
        raise QueueUnavailable("no queue")

    monkeypatch.setattr(attended.lanes, "bury", refuse)

    # WHEN
    outcome = attended(UnexpectedFault("a defect"))

    # THEN
    assert not outcome.done
    assert attended.record == attended.batch


def test_a_failure_that_cannot_be_written_yet_is_tried_again() -> None:
    # GIVEN
    attended = Attended()
    attended.table.problem = StorageUnavailable("no table")

    # WHEN
    outcomes = [attended(UnexpectedFault("a defect"), receives) for receives in (1, RENEW_AFTER_RECEIVES)]

    # THEN it comes again, and never as a copy: the queue gives it up in the end, and the sweep fails the batch
    assert [outcome.done for outcome in outcomes] == [False, False]
    assert attended.queue.messages == []


def test_of_a_failure_that_can_never_be_written_the_letter_is_kept() -> None:
    attended = Attended()
    attended.table.problem = UnexpectedFault("the table refuses it")

    assert attended(UnexpectedFault("a defect")).done
    assert len(attended.lanes.dead_letters) == 1


@pytest.mark.parametrize(
    "changes",
    [{"status": BatchStatus.SUCCEEDED}, {"status": BatchStatus.CANCELLED}, {"generation": 1}],
    ids=["succeeded", "cancelled", "run again"],
)
def test_a_batch_that_has_gone_on_does_not_fail(changes: dict[str, object]) -> None:
    # GIVEN
    attended = Attended(a_batch(**changes))

    # WHEN
    outcome = attended(UnexpectedFault("a defect"))

    # THEN
    assert outcome.done
    assert attended.record == attended.batch


def test_a_batch_that_changes_meanwhile_fails_from_its_new_state() -> None:
    # GIVEN a batch that begins to run just before it is to fail
    attended = Attended()

    def begin() -> None:
        attended.table.before_change = lambda: None
        running = attended.record.model_copy(update={"status": BatchStatus.RUNNING, "total": 10})
        attended.table.records[running.batch_id] = running

    attended.table.before_change = begin

    # WHEN
    attended(UnexpectedFault("a defect"))

    # THEN
    assert (attended.record.status, attended.record.total) == (BatchStatus.FAILED, 10)


def test_a_message_without_a_record_is_buried() -> None:
    attended = Attended()
    message = JoinBatch(batch_id="gone", tenant="north")

    assert attended(UnexpectedFault("a defect"), body=encode_message(message)).done
    assert len(attended.lanes.dead_letters) == 1
