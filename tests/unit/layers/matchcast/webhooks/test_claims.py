"""The claim of an attempt: one worker wins, and what is out of reach before it costs none."""

from __future__ import annotations

from datetime import timedelta

import pytest

from matchcast.domain.webhook import Attempt
from matchcast.errors import StorageUnavailable
from matchcast.webhooks.attempt import next_attempt
from matchcast.webhooks.replay_range import begin_series
from matchcast.webhooks.schedule import GRACE
from tests.support.tasks import NOW
from tests.support.webhooks import World, an_event


def test_a_worker_that_loses_the_claim_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN another worker that is faster between the read and the claim
    world, event = World(), an_event()
    monkeypatch.setattr(world.deliveries, "claim", lambda *_: False)

    # WHEN
    world.submit(event)
    world.receive()

    # THEN
    assert not world.receiver.posts
    assert not world.reports
    assert [outcome.done for outcome in world.outcomes] == [True]


@pytest.mark.parametrize("port", ["secrets", "endpoints"])
def test_an_outage_before_the_claim_costs_no_attempt(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    # GIVEN
    world, event = World(), an_event()

    def down(*arguments: object) -> None:
        raise StorageUnavailable("down")

    # WHEN
    with monkeypatch.context() as outage:
        outage.setattr(getattr(world, port), {"secrets": "values", "endpoints": "get"}[port], down)
        world.submit(event)
        world.run_for(timedelta(hours=2))
        assert world.delivery(event).tried == 0
    world.run()

    # THEN
    assert [attempt.status for attempt in world.delivery(event).attempts] == [200]


def test_the_message_of_an_event_that_was_only_recorded_makes_its_first_attempt() -> None:
    # GIVEN a worker that died behind the record
    world, event = World(), an_event()
    world.deliveries.create(event, NOW + timedelta(seconds=120))

    # WHEN its message comes again
    world.submit(event)
    world.receive()

    # THEN
    assert world.receiver.ids == [event.event_id]


def test_an_attempt_that_is_being_made_is_not_taken_for_one_whose_worker_died() -> None:
    # GIVEN an attempt that was claimed a minute ago
    world, event = World(), an_event()
    world.deliveries.create(event, NOW)
    attempt = Attempt(number=1, series=0, started_at=NOW)
    assert world.deliveries.claim(world.delivery(event), attempt, NOW + GRACE)
    world.clock = NOW + timedelta(seconds=60)

    # WHEN a message of the sweep comes
    world.simulated.send([next_attempt(world.delivery(event), NOW)])
    world.receive()

    # THEN it comes again when the worker is dead for sure
    assert world.delivery(event).unended == attempt
    assert [seconds for _, seconds in world.simulated.postponed] == [61]


@pytest.mark.parametrize("status", [200, 500])
def test_the_end_of_an_attempt_that_another_worker_ended_is_neither_counted_nor_sent(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    # GIVEN a worker that is slower than the one that gave it up
    world, event = World(), an_event()
    world.receiver.answers = (status,)
    monkeypatch.setattr(world.deliveries, "end", lambda *_: False)

    # WHEN
    world.submit(event)
    sent = len(world.simulated.sent)
    world.receive()

    # THEN
    assert len(world.receiver.posts) == 1
    assert not world.reports
    assert len(world.simulated.sent) == sent


def test_a_replay_whose_message_is_lost_begins_with_the_next_sweep() -> None:
    # GIVEN an event that was delivered
    world, event = World(), an_event()
    world.submit(event)
    world.run()

    # WHEN its series begins anew, and nobody hears of it
    begun = begin_series(world.deliveries, world.delivery(event), world.clock)
    replayed_at = world.clock
    world.run()

    # THEN
    assert begun is not None
    assert [at - replayed_at < timedelta(minutes=8) for at, *_ in world.receiver.posts[1:]] == [True]
