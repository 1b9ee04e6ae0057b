"""Plans, the window of parts, and parts that were lost."""

from __future__ import annotations

import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.batch_messages import LosePart, RunPart, SplitBatch, encode_message
from matchcast.batches.plan import PartPlans, Window
from matchcast.batches.sweep import LostParts
from matchcast.domain.task import Priority
from matchcast.ports import DeadLetter
from tests.support.batch_flow import MIXED, Flow
from tests.support.stored_batches import SentMessages, StoredBatches, a_batch, a_part, running
from tests.support.tasks import NOW


def test_each_part_brings_the_one_that_is_a_window_further_on() -> None:
    # GIVEN
    queue, batch = SentMessages(), running(a_batch(), parts=5)
    window = Window(PartPlans(InMemoryObjects()), queue, 2)

    # WHEN
    window.begin(batch)
    for position in range(5):
        window.go_on(batch, position)

    # THEN every part was sent once
    assert [(part.position, part.number) for part, _ in queue.parts] == [(number, number) for number in range(5)]


def test_the_first_plan_of_a_generation_counts_and_each_generation_has_its_own() -> None:
    # GIVEN
    plans, batch = PartPlans(InMemoryObjects()), running(a_batch(generation=1))
    later = batch.model_copy(update={"generation": 2})

    # WHEN
    written = [plans.write(batch, [3, 5]), plans.write(batch, [3]), plans.write(later, [5])]

    # THEN
    assert written == [[3, 5], [3, 5], [5]]
    assert [plans.read(each) for each in (batch, later, batch)] == [[3, 5], [5], [3, 5]]


def test_a_lost_part_brings_the_next_one_before_it_ends() -> None:
    # GIVEN a batch of three parts, two of them in the lane
    flow = Flow()
    batch = flow.submitted(MIXED)
    flow.work.do(SplitBatch(batch_id=batch.batch_id, tenant="north"))
    flow.queue.messages.clear()

    # WHEN the first is lost
    flow.work.do(LosePart(batch_id=batch.batch_id, tenant="north", position=0, number=0))

    # THEN
    assert [message.number for message in flow.queue.bodies if isinstance(message, RunPart)] == [2]


@pytest.mark.parametrize(
    ("generation", "ended", "is_lost"), [(1, None, True), (1, 0, True), (1, 1, False), (0, None, False)]
)
def test_a_part_is_lost_only_if_its_generation_waits_for_it(generation: int, ended: int | None, is_lost: bool) -> None:
    # GIVEN a batch in generation 1, and a letter of one of its parts
    batches, queue = StoredBatches(), SentMessages()
    batch = running(a_batch(generation=1))
    batches.create(batch)
    if ended is not None:
        batches.ended[batch.batch_id, 0] = a_part(generation=ended)
    part = RunPart(batch_id=batch.batch_id, tenant="north", generation=generation, position=0, number=0)

    # WHEN
    lost = LostParts(batches, queue, lambda: NOW).lose(
        [DeadLetter(Priority.NORMAL, "m", "r", encode_message(part), None, NOW)]
    )

    # THEN
    assert (lost, len(queue.messages)) == (int(is_lost), int(is_lost))
