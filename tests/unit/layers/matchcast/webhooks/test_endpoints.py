"""An endpoint that fails for five days is disabled; its tenant sees that, and undoes it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from matchcast.adapters.in_memory import InMemoryTasks
from matchcast.domain.webhook import DeliveryState
from matchcast.errors import DeliveryFailed, EndpointNotFound, TaskGone, TaskNotFound
from matchcast.webhooks.track import TrackDeliveries
from tests.support.batches import InMemoryBatches
from tests.support.tasks import NOW
from tests.support.webhooks import URL, World, an_ended_task, an_event


def track_of(world: World, tasks: InMemoryTasks | None = None) -> TrackDeliveries:
    return TrackDeliveries(world.deliveries, world.endpoints, tasks or InMemoryTasks(), InMemoryBatches(), world.now)


def submitted_each_day(world: World, days: int) -> None:
    for _ in range(days):
        world.submit(an_event(completed_at=world.clock))
        world.run_for(timedelta(days=1))


def test_five_days_of_failure_disable_an_endpoint_and_its_tenant_enables_it() -> None:
    # GIVEN an endpoint that has failed for less than five days
    world = World()
    world.receiver.answers = (DeliveryFailed("no route", "connection"),)
    submitted_each_day(world, 4)
    assert [each.disabled_at for each in track_of(world).endpoints("north")] == [None]

    # WHEN it goes on
    submitted_each_day(world, 2)

    # THEN the tenant sees it, no other one does, and nothing more is sent
    track = track_of(world)
    (endpoint,) = track.endpoints("north")
    assert (endpoint.url, endpoint.failing_since) == (URL, NOW)
    assert endpoint.disabled_at is not None
    assert endpoint.disabled_at - NOW >= timedelta(days=5)
    assert not track.endpoints("south")
    posts, late = len(world.receiver.posts), an_event(completed_at=world.clock)
    world.submit(late)
    world.run(until=timedelta(days=20))
    assert world.delivery(late).state is DeliveryState.DISABLED
    assert world.delivery(late).attempts[-1].error == "endpoint-disabled"
    assert len(world.receiver.posts) == posts

    # WHEN
    with pytest.raises(EndpointNotFound):
        track.enable("south", endpoint.endpoint_id)
    enabled = track.enable("north", endpoint.endpoint_id)
    world.receiver.answers = (200,)
    after = an_event(completed_at=world.clock)
    world.submit(after)
    world.run(until=timedelta(days=20))

    # THEN
    assert (enabled.failing_since, enabled.disabled_at) == (None, None)
    assert not track.endpoints("north")
    assert world.delivery(after).state is DeliveryState.DELIVERED


def test_one_success_begins_the_five_days_anew() -> None:
    # GIVEN an endpoint that fails for four days, works once, and fails for three
    world = World()
    world.receiver.answers = (500,)
    submitted_each_day(world, 4)
    world.receiver.answers = (200,)
    submitted_each_day(world, 1)
    world.run_for(timedelta(days=4))
    assert not world.endpoints.list("north")

    # WHEN
    world.receiver.answers = (500,)
    submitted_each_day(world, 3)

    # THEN
    (endpoint,) = world.endpoints.list("north")
    assert endpoint.disabled_at is None


def test_one_failure_long_after_an_outage_costs_an_event_one_attempt() -> None:
    # GIVEN an endpoint that failed for the whole series of one event, and was mended while there was none
    world, late = World(), NOW + timedelta(days=30)
    world.receiver.answers = (500,) * 11 + (200,)
    world.submit(an_event())
    world.run()
    assert len(world.receiver.posts) == 10

    # WHEN a later event meets one short fault
    world.clock, event = late, an_event(completed_at=late)
    world.submit(event)
    world.run(until=timedelta(days=40))

    # THEN
    assert world.delivery(event).state is DeliveryState.DELIVERED


def test_another_tenants_endpoint_with_the_same_address_goes_on() -> None:
    # GIVEN
    world = World()
    failing = world.endpoints.failed("south", URL, NOW)
    world.endpoints.disable(failing, NOW)

    # WHEN
    world.submit(an_event())
    world.run()

    # THEN
    assert len(world.receiver.posts) == 1


def test_deliveries_are_seen_by_their_tenant_as_long_as_the_subject_is() -> None:
    # GIVEN
    world, tasks, task = World(), InMemoryTasks(), an_ended_task()
    tasks.create(task)
    world.submit(an_event(task_id=task.task_id))
    world.run()
    track = track_of(world, tasks)

    # WHEN
    (delivery,) = track.of_task("north", task.task_id)

    # THEN
    assert [attempt.status for attempt in delivery.attempts] == [200]
    with pytest.raises(TaskNotFound):
        track.of_task("south", task.task_id)
    world.clock = task.expires_at
    with pytest.raises(TaskGone):
        track.of_task("north", task.task_id)
