"""Every call to a port dies, fails or loses its answer in turn: with the sweep, every event ends all the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from matchcast.domain.webhook import Delivery, DeliveryState
from matchcast.errors import DeliveryFailed, QueueUnavailable, StorageUnavailable
from matchcast.webhook_messages import ReplayRange
from matchcast.webhooks.schedule import MOST_ATTEMPTS
from tests.support.tasks import NOW
from tests.support.trapped_ports import Harm, Trap, Trapped
from tests.support.webhooks import World, an_ended_task

Scenario = Callable[[World], Sequence[Delivery]]


def trapped(trap: Trap, copies: int) -> World:
    """Return a world whose every port goes through a trap."""
    world, down = World(), StorageUnavailable("down")
    world.simulated.copies = copies
    world.deliveries = Trapped(world.deliveries, trap, down)
    world.endpoints = Trapped(world.endpoints, trap, down)
    world.secrets = Trapped(world.secrets, trap, down)
    world.queue = Trapped(world.queue, trap, QueueUnavailable("down"))
    world.poster = Trapped(world.receiver, trap, DeliveryFailed("slow", "timeout"))
    return world


def published(world: World, *answers: int) -> Sequence[Delivery]:
    """Publish the end of a task, and let time pass until its event has ended."""
    world.receiver.answers = answers
    task = an_ended_task()
    world.publish(task)
    world.run(until=timedelta(days=20))
    return world._stored.of_subject(task.task_id)


def down_for_five_attempts(world: World) -> Sequence[Delivery]:
    return published(world, 500, 500, 500, 500, 500, 200)


def down_for_ever(world: World) -> Sequence[Delivery]:
    return published(world, 503)


def gone(world: World) -> Sequence[Delivery]:
    return published(world, 500, 410)


def replayed(world: World) -> Sequence[Delivery]:
    """Deliver an event, and replay its hour."""
    (delivery,) = published(world, 200)
    world.clock += timedelta(hours=1)
    wanted = ReplayRange(tenant="north", since=NOW, until=world.clock, requested_at=world.clock)
    world.simulated.send([wanted])
    world.run(until=timedelta(days=20))
    return world._stored.of_subject(delivery.event.subject_id)


ENDS: dict[Scenario, set[DeliveryState]] = {
    down_for_five_attempts: {DeliveryState.DELIVERED},
    down_for_ever: {DeliveryState.FAILED},
    gone: {DeliveryState.STOPPED},
    replayed: {DeliveryState.DELIVERED},
}


# Messages that come twice double the calls, so only short lives are tried with them.
@pytest.mark.parametrize(("scenario", "copies"), [*((each, 1) for each in ENDS), (gone, 2), (replayed, 2)])
@pytest.mark.parametrize("harm", Harm)
def test_whatever_call_comes_to_harm_the_event_ends_under_one_id(scenario: Scenario, harm: Harm, copies: int) -> None:
    harmed: set[str] = set()
    # The first call sends what the stream shows; a record that raises what nobody expects is kept as a letter.
    for at in range(harm is Harm.FAULT, 1_000):
        # WHEN
        trap = Trap(harm, at)
        world = trapped(trap, copies)
        deliveries = scenario(world)

        # THEN
        if not trap.name:
            break
        harmed.add(trap.name)
        assert len(deliveries) == 1, trap
        (delivery,) = deliveries
        assert delivery.state in ENDS[scenario], (trap, delivery)
        assert set(world.receiver.ids) <= {delivery.event.event_id}
        check_attempts(world, delivery)
        assert not world.simulated.waiting
        # What nobody expects of one event of a range becomes a letter, so that the range goes on.
        assert not world.simulated.buried or (harm is Harm.FAULT and trap.name in ("get", "replay"))
    assert {"create", "get", "claim", "end", "post", "send", "values"} <= harmed
    assert trap.calls < at + 1


def check_attempts(world: World, delivery: Delivery) -> None:
    """At most ten attempts a series, in order, and never a request that was not claimed."""
    series = {each.series for each in delivery.attempts}
    assert len(series) <= 2
    for number in series:
        numbers = [each.number for each in delivery.attempts if each.series == number]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) <= MOST_ATTEMPTS
    assert len(world.receiver.posts) <= len(delivery.attempts)
    assert delivery.unended is None
