"""Replays of a time range: page by page, each event once, whatever becomes of one of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from matchcast.domain.webhook import DeliveryState
from matchcast.webhook_messages import ReplayRange
from tests.support.replays import Replays
from tests.support.tasks import NOW
from tests.support.webhooks import an_event


@pytest.mark.parametrize("copies", [1, 2], ids=["once", "twice"])
def test_a_range_is_replayed_page_by_page_and_each_event_once(copies: int) -> None:
    # GIVEN 250 delivered events, a minute apart, and some of another tenant
    world = Replays()
    start = NOW - timedelta(hours=5)
    events = [an_event(completed_at=start + timedelta(minutes=minute)) for minute in range(250)]
    world.submit(*events, *(an_event(tenant="south") for _ in range(5)))
    world.run()
    delivered = len(world.receiver.posts)
    world.clock += timedelta(hours=1)
    world.simulated.copies = copies

    # WHEN the range leaves out the first three and the last two
    world.replay.replay_range("north", start + timedelta(minutes=3), start + timedelta(minutes=248))
    world.run()

    # THEN
    again = world.receiver.ids[delivered:]
    assert sorted(again) == sorted(event.event_id for event in events[3:248])
    pages = [body for body, _ in world.simulated.sent if '"kind":"replay"' in body]
    assert len(pages) == 3 * (1 if copies == 1 else 3) - (copies - 1) * 2


def test_a_range_begins_anew_what_waits_for_a_late_attempt() -> None:
    # GIVEN a receiver that was down for an hour
    world = Replays()
    events = [an_event() for _ in range(3)]
    world.receiver.answers = (503,)
    world.submit(*events)
    world.run_for(timedelta(hours=1))
    world.receiver.answers = (200,)

    # WHEN
    world.replay.replay_range("north", NOW)
    world.run_for(timedelta(seconds=1))

    # THEN nobody waits for the attempt after two hours, nor is it made
    assert {world.delivery(event).state for event in events} == {DeliveryState.DELIVERED}
    posts = len(world.receiver.posts)
    world.run()
    assert len(world.receiver.posts) == posts


def test_one_event_that_cannot_be_replayed_does_not_end_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an event whose record the table gives in pieces
    world, events = Replays(), [an_event() for _ in range(5)]
    world.submit(*events)
    world.run()
    get = world.deliveries.get

    def picky(event_id: str) -> Any:
        if event_id == events[2].event_id:
            raise KeyError("state")
        return get(event_id)

    monkeypatch.setattr(world.deliveries, "get", picky)

    # WHEN
    world.clock += timedelta(hours=1)
    world.simulated.send([ReplayRange(tenant="north", since=NOW, until=world.clock, requested_at=world.clock)])
    world.run()

    # THEN
    assert len(world.receiver.posts) == 5 + 4
    assert world.simulated.buried == [(events[2].event_id, "unexpected-fault")]


def test_a_range_begins_anew_what_an_earlier_replay_found_disabled_by_a_clock_that_is_ahead() -> None:
    # GIVEN an event that a replay found disabled, by a worker whose clock is a second ahead
    world, event = Replays(), an_event()
    world.submit(event)
    world.run()
    world.clock += timedelta(hours=1, seconds=1)
    endpoint = world.endpoints.failed("north", event.url, world.clock)
    world.endpoints.disable(endpoint, world.clock)
    world.replay.replay_range("north", NOW)
    world.run_for(timedelta(seconds=1))
    assert world.delivery(event).state is DeliveryState.DISABLED

    # WHEN the tenant enables the endpoint, and replays the range
    world.endpoints.works("north", event.url)
    world.clock -= timedelta(seconds=2)
    world.replay.replay_range("north", NOW)
    world.run_for(timedelta(seconds=1))

    # THEN
    assert world.delivery(event).state is DeliveryState.DELIVERED
