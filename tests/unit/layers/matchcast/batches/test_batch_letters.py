"""Dead letters of batches: a redrive and a discard end what waits for them, and make no batch wrong."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from matchcast.adapters.in_memory import InMemoryLanes
from matchcast.batch_messages import QUEUE, JoinBatch, LosePart, RunPart, SplitBatch, encode_message
from matchcast.batches.dead_letters import DiscardBatchLetters, RedriveBatchLetters
from matchcast.batches.sweep import LostParts
from matchcast.domain.batch import Batch
from matchcast.domain.task import Priority
from matchcast.errors import QueueUnavailable
from matchcast.ports import DeadLetter
from matchcast.tasks.dead_letters import Discard, Redrive
from tests.support.batch_flow import MIXED, Flow, good
from tests.support.tasks import NOW


@dataclass
class Desk:
    """An operator's desk over a service of batches in memory."""

    flow: Flow = field(default_factory=lambda: Flow(size=5))
    lanes: InMemoryLanes = field(default_factory=InMemoryLanes)

    def __post_init__(self) -> None:
        ports: dict[str, Any] = {
            "letters": self.lanes,
            "batches": self.flow.records,
            "queue": self.flow.queue,
            "now": lambda: NOW,
        }
        self.redrive, self.discard = RedriveBatchLetters(**ports), DiscardBatchLetters(**ports)

    def bury_all(self, cause: str | None = None) -> list[DeadLetter]:
        """Make letters of all messages that wait."""
        messages = self.flow.queue.bodies
        self.flow.queue.messages.clear()
        for message in messages:
            self.bury(message, cause)
        return list(self.lanes.dead_letters)

    def bury(self, message: Any, cause: str | None = None) -> DeadLetter:
        queue = Priority.NORMAL if isinstance(message, RunPart) else QUEUE
        self.lanes.bury(queue, message if isinstance(message, str) else encode_message(message), cause, None)
        return self.lanes.dead_letters[-1]

    def state(self, batch: Batch) -> tuple[str, str | None]:
        present = self.flow.batch(batch)
        return present.status.value, None if present.error is None else present.error.code


def named(kind: Any, batch: Batch, **more: Any) -> Any:
    return kind(batch_id=batch.batch_id, tenant="north", **more)


@pytest.mark.parametrize("steps", range(5), ids=["split", "part 0", "part 1", "join", "succeeded"])
def test_a_letter_of_a_batch_that_has_not_ended_is_sent_again_and_the_batch_goes_on(steps: int) -> None:
    # GIVEN a batch whose next messages have become letters
    desk = Desk()
    batch = desk.flow.submitted(MIXED)
    for _ in range(steps):
        desk.flow.step()
    letters = desk.bury_all()

    # WHEN they are redriven
    planned = [outcome for outcome, _ in desk.redrive.plans(letters)]
    done = [desk.redrive.redrive(letter) for letter in letters]

    # THEN no letter is left, and the batch ends with every row
    assert planned == done == [Redrive.REDRIVEN] * len(letters)
    assert desk.lanes.dead_letters == []
    desk.flow.settle()
    output, errors = desk.flow.rows(batch)
    assert (desk.state(batch)[0], len(output), len(errors)) == ("succeeded", 6, 4)


@pytest.mark.parametrize("kind", [SplitBatch, JoinBatch])
def test_a_letter_of_a_batch_that_has_failed_waits_for_its_client(kind: Any) -> None:
    # GIVEN a batch that failed because its message was given up
    desk = Desk()
    batch = desk.flow.submitted(MIXED)
    desk.flow.queue.messages.clear()
    letter = desk.bury(named(kind, batch))
    desk.discard.discard(letter)
    letter = desk.bury(named(kind, batch), "digest-mismatch")

    # WHEN the letter is redriven
    # THEN nothing is sent, and it stays
    assert desk.redrive.redrive(letter) is Redrive.NEEDS_RETRY
    assert (desk.flow.queue.messages, desk.lanes.dead_letters) == ([], [letter])

    # WHEN the client has retried
    desk.flow.track.retry_failed("north", batch.batch_id)
    desk.flow.settle()
    # THEN the letter is no longer needed
    assert desk.redrive.redrive(letter) is Redrive.MOVED_ON
    assert desk.lanes.dead_letters == []
    desk.flow.rows(batch)


def test_a_part_that_was_given_up_waits_for_its_client_and_one_that_ended_well_does_not() -> None:
    # GIVEN a batch of two parts, of which one was lost and the other has only a wrong row
    desk = Desk(Flow(size=2))
    desk.flow.submitted([good(0), good(1), good(2), {"form": "x"}])
    desk.flow.step()
    parts = [message for message in desk.flow.queue.bodies if isinstance(message, RunPart)]
    lost, well = (desk.bury(part) for part in parts)
    desk.flow.queue.messages.pop(0)
    LostParts(desk.flow.records, desk.flow.queue, lambda: NOW).lose([lost])
    desk.flow.settle()

    # WHEN their letters are redriven
    # THEN
    assert [desk.redrive.redrive(letter) for letter in (lost, well)] == [Redrive.NEEDS_RETRY, Redrive.MOVED_ON]
    assert desk.lanes.dead_letters == [lost]
    assert desk.flow.queue.messages == []


@pytest.mark.parametrize(
    "change",
    [{"status": "cancelling"}, {"status": "cancelled"}, {"generation": 1}, {"expires_at": NOW - timedelta(days=1)}],
)
def test_a_part_of_a_batch_that_does_not_run_is_not_sent_again(change: dict[str, Any]) -> None:
    desk = Desk()
    batch = desk.flow.submitted(MIXED)
    desk.flow.step()
    letter = desk.bury_all()[0]
    content = {**desk.flow.batch(batch).model_dump(), **change}
    desk.flow.records._batches[batch.batch_id] = Batch.model_validate(content)

    assert desk.redrive.redrive(letter) is Redrive.MOVED_ON
    assert (desk.flow.queue.messages, letter in desk.lanes.dead_letters) == ([], False)


def test_a_letter_of_an_earlier_generation_has_nothing_to_do_with_a_later_failure() -> None:
    # GIVEN a batch that was retried, and has failed again
    desk = Desk()
    batch = desk.flow.submitted(MIXED)
    desk.flow.queue.messages.clear()
    early = desk.bury(named(SplitBatch, batch))
    for _ in range(2):
        desk.discard.discard(desk.bury(named(SplitBatch, batch, generation=desk.flow.batch(batch).generation)))
        if not desk.flow.batch(batch).generation:
            desk.flow.track.retry_failed("north", batch.batch_id)
    assert (desk.flow.batch(batch).generation, desk.state(batch)[0]) == (1, "failed")

    # WHEN the first letter is redriven
    # THEN it is no longer needed
    assert desk.redrive.redrive(early) is Redrive.MOVED_ON
    assert desk.lanes.dead_letters == []


def test_a_letter_that_is_unreadable_or_of_an_unknown_batch_stays() -> None:
    desk = Desk()
    letters = [desk.bury(SplitBatch(batch_id="x", tenant="north")), desk.bury("no message")]

    assert [desk.redrive.redrive(letter) for letter in letters] == [Redrive.NO_TASK] * 2
    assert desk.lanes.dead_letters == letters


def test_a_letter_whose_message_cannot_be_sent_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a queue that takes nothing
    desk = Desk()
    desk.flow.submitted(MIXED)
    (letter,) = desk.bury_all()

    def refuse(*_: Any) -> None:
        raise QueueUnavailable("full")

    monkeypatch.setattr(desk.flow.queue, "send", refuse)

    # WHEN
    with pytest.raises(QueueUnavailable):
        desk.redrive.redrive(letter)

    # THEN
    assert desk.lanes.dead_letters == [letter]


@pytest.mark.parametrize("kind", [SplitBatch, JoinBatch, LosePart])
def test_a_discarded_letter_fails_the_batch_that_waits_for_it(kind: Any) -> None:
    # GIVEN
    desk = Desk()
    batch = desk.flow.submitted(MIXED)
    desk.flow.step()
    desk.flow.queue.messages.clear()
    letter = desk.bury(named(kind, batch, **({"position": 0, "number": 0} if kind is LosePart else {})))

    # WHEN
    planned = desk.discard.plans([letter])[0][0]
    done = [desk.discard.discard(letter)]

    # THEN
    assert [planned] == done == [Discard.BATCH_FAILED]
    assert (desk.state(batch), desk.lanes.dead_letters) == (("failed", "dead-lettered"), [])
    again = desk.bury(named(SplitBatch, batch))
    assert desk.discard.discard(again) is Discard.DISCARDED


def test_a_discarded_part_ends_with_errors_and_its_batch_goes_on() -> None:
    # GIVEN a part among the letters
    desk = Desk()
    batch = desk.flow.submitted(MIXED)
    desk.flow.step()
    (first, *_) = [message for message in desk.flow.queue.bodies if isinstance(message, RunPart)]
    desk.flow.queue.messages.pop(0)
    letter = desk.bury(first)

    # WHEN it is discarded
    planned = desk.discard.plans([letter])[0][0]
    assert [planned, desk.discard.discard(letter)] == [Discard.PART_LOST] * 2
    desk.flow.settle()

    # THEN
    _, errors = desk.flow.rows(batch)
    assert (desk.state(batch)[0], desk.lanes.dead_letters) == ("succeeded", [])
    assert {row["row"] for row in errors if row["code"] == "dead-lettered"} == {0, 2, 3, 4}
    assert desk.discard.discard(desk.bury(first)) is Discard.DISCARDED


@pytest.mark.parametrize("seed", range(20))
def test_redrives_at_any_time_make_no_batch_wrong(seed: int) -> None:
    # GIVEN a batch whose messages become letters at random, sometimes while the message comes all the same
    choose = random.Random(seed)
    desk = Desk(Flow(size=2, window=2))
    batch = desk.flow.submitted(MIXED)
    for _ in range(200):
        if desk.flow.queue.messages and choose.random() < 0.3:
            message = choose.choice(desk.flow.queue.bodies)
            desk.bury(message)
            if choose.random() < 0.5:
                desk.flow.queue.messages.remove(next(each for each in desk.flow.queue.messages if each[0] == message))
        if desk.lanes.dead_letters and choose.random() < 0.3:
            letter = choose.choice(desk.lanes.dead_letters)
            # WHEN some are redriven, each maybe twice
            for _ in range(choose.randint(1, 2)):
                if letter in desk.lanes.dead_letters:
                    desk.redrive.redrive(letter)
        if desk.flow.queue.messages and choose.random() < 0.5:
            desk.flow.step(choose.randrange(len(desk.flow.queue.messages)), again=choose.random() < 0.2)
    for letter in list(desk.lanes.dead_letters):
        desk.redrive.redrive(letter)
    desk.flow.settle(choose)

    # THEN both files have every row once, as the record says
    output, errors = desk.flow.rows(batch)
    assert (desk.state(batch)[0], len(output), len(errors)) == ("succeeded", 6, 4)
