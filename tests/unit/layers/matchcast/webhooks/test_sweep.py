"""The sweep: what is due is sent, what waits costs nothing, and an index that lags does no harm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import count

import pytest

from matchcast.adapters.in_memory_webhooks import InMemoryDeliveries, InMemoryWebhookQueue
from matchcast.domain.webhook import Attempt, Delivery
from matchcast.errors import QueueUnavailable, RequestRefused
from matchcast.webhook_messages import NextAttempt, WebhookMessage, decode_webhook_message
from matchcast.webhooks.attempt import next_attempt
from matchcast.webhooks.schedule import GRACE
from matchcast.webhooks.sweep import SweepDeliveries, Swept
from tests.support.tasks import NOW
from tests.support.webhooks import SWEEP_EVERY, World, an_event


def at_once(place: int) -> datetime:
    return NOW


def stored(number: int, look_at: Callable[[int], datetime] = at_once) -> InMemoryDeliveries:
    """Return some deliveries of which nothing was tried; the n-th is looked at at `look_at(n)`."""
    deliveries, event = InMemoryDeliveries(), an_event()
    for place in range(number):
        copy = event.model_copy(update={"event_id": f"evt_{place}_0", "occurred_at": NOW - timedelta(seconds=90)})
        deliveries.create(copy, look_at(place))
    return deliveries


def sweep(deliveries: InMemoryDeliveries, queue: InMemoryWebhookQueue, seconds: float = 45) -> Swept:
    return SweepDeliveries(deliveries, queue, lambda: NOW, map(float, count()).__next__).sweep(seconds)


def test_200_000_waiting_deliveries_stall_nothing() -> None:
    # GIVEN 200,000 deliveries that wait for hours, and three that are due
    queue = InMemoryWebhookQueue()
    deliveries = stored(3)
    waiting = Delivery(event=an_event(), next_attempt_at=NOW + timedelta(hours=5))
    names = [f"waiting {place}" for place in range(200_000)]
    deliveries._deliveries |= dict.fromkeys(names, waiting)
    deliveries._look_at |= dict.fromkeys(names, NOW + timedelta(hours=5, minutes=-5))

    # WHEN
    swept = sweep(deliveries, queue)

    # THEN
    assert swept == Swept(sent=3, oldest_seconds=90)
    assert len(queue.sent) == 3
    assert len(deliveries.due(NOW + timedelta(minutes=9), 10)) == 0
    assert len(deliveries.due(NOW + timedelta(minutes=10), 10)) == 3


def test_a_sweep_ends_when_its_time_is_over_and_the_next_one_goes_on() -> None:
    # GIVEN 2,300 that are due, the oldest last, and a clock that advances a second with each look
    queue = InMemoryWebhookQueue()
    deliveries = stored(2_300, lambda place: NOW - timedelta(seconds=place))

    # WHEN
    first = sweep(deliveries, queue, seconds=3)
    second = sweep(deliveries, queue)

    # THEN
    assert (first.sent, second.sent) == (1_000, 1_300)
    messages = [decode_webhook_message(body) for body, _ in queue.sent]
    ids = [each.event_id for each in messages if isinstance(each, NextAttempt)]
    assert len(set(ids)) == 2_300
    assert ids[0] == "evt_2299_0"
    assert sweep(deliveries, queue) == Swept(sent=0, oldest_seconds=0)


def test_an_index_that_lags_lists_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an index that lists what was sent as long as the sweep runs
    queue, deliveries = InMemoryWebhookQueue(), stored(20)
    listed = deliveries.due(NOW, 500)
    monkeypatch.setattr(deliveries, "due", lambda *_: listed)

    # WHEN
    swept = sweep(deliveries, queue)

    # THEN
    assert swept.sent == len(queue.sent) == 20


def test_an_index_that_lags_does_not_end_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN 1,200 due deliveries, and an index that lists all as they were when the sweep began
    queue, deliveries = InMemoryWebhookQueue(), stored(1_200)
    listed = deliveries.due(NOW, 1_200)
    monkeypatch.setattr(deliveries, "due", lambda _, limit: listed[:limit])

    # WHEN
    swept = sweep(deliveries, queue, seconds=100)

    # THEN each was sent once
    assert swept.sent == len(queue.sent) == 1_200


def test_one_message_that_the_queue_refuses_does_not_end_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN 30 due deliveries, one of which has a message that the queue takes for invalid
    queue, deliveries = InMemoryWebhookQueue(), stored(30)
    send = queue.send

    def picky(messages: Sequence[WebhookMessage], delays: Sequence[int] | None = None) -> None:
        if any(isinstance(each, NextAttempt) and each.event_id == "evt_2_0" for each in messages):
            raise RequestRefused("invalid")
        send(messages, delays)

    monkeypatch.setattr(queue, "send", picky)

    # WHEN
    swept = sweep(deliveries, queue)

    # THEN the others are sent, and the next sweep begins with what it has not tried
    assert len(queue.sent) == 29
    assert swept.sent == 30
    assert sweep(deliveries, queue).sent == 0


def test_what_is_sent_ahead_is_delayed_until_its_time() -> None:
    # GIVEN a delivery that was looked at 200.5 s before its attempt, and one far ahead of it
    queue, deliveries = InMemoryWebhookQueue(), InMemoryDeliveries()
    for place, seconds in enumerate((200.5, 5_000)):
        event = an_event(completed_at=NOW + timedelta(seconds=seconds), tenant=f"t{place}")
        deliveries.create(event, NOW - timedelta(seconds=2 - place))

    # WHEN
    swept = sweep(deliveries, queue)

    # THEN
    assert [delay for _, delay in queue.sent] == [201, 900]
    assert swept.oldest_seconds == 0


def test_an_outage_of_the_queue_leaves_everything_to_the_next_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    queue, deliveries = InMemoryWebhookQueue(), stored(5)

    def down(messages: Sequence[WebhookMessage], delays: Sequence[int] | None = None) -> None:
        raise QueueUnavailable("down")

    # WHEN
    with monkeypatch.context() as outage:
        outage.setattr(queue, "send", down)
        with pytest.raises(QueueUnavailable):
            sweep(deliveries, queue)

    # THEN
    assert sweep(deliveries, queue).sent == 5


def test_one_record_that_cannot_be_written_does_not_end_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    queue, deliveries = InMemoryWebhookQueue(), stored(5)
    looked_at = deliveries.looked_at

    def picky(attempt: NextAttempt, look_at: datetime) -> None:
        if attempt.event_id == "evt_2_0":
            raise RequestRefused("no number")
        looked_at(attempt, look_at)

    monkeypatch.setattr(deliveries, "looked_at", picky)

    # WHEN
    swept = sweep(deliveries, queue)

    # THEN the next sweep sends that one again
    assert swept.sent == 5
    assert sweep(deliveries, queue).sent == 1


def test_an_attempt_that_is_ended_while_it_is_swept_leaves_one_message_and_no_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN a worker that died behind the third claim of a series
    world, event = World(), an_event()
    world.receiver.answers = (500,)
    world.submit(event)
    world.run_for(timedelta(seconds=60))
    claimed, attempt = world.delivery(event), Attempt(number=3, series=0, started_at=NOW)
    world.simulated.waiting.clear()
    world.deliveries.claim(claimed, attempt, NOW + GRACE)
    # AND workers that are faster than the sweep that sends to them
    send = world.queue.send

    def send_and_work(messages: Sequence[WebhookMessage], delays: Sequence[int] | None = None) -> None:
        send(messages, delays)
        world.receive()

    # WHEN it is swept
    world.clock = NOW + SWEEP_EVERY
    with monkeypatch.context() as race:
        race.setattr(world.queue, "send", send_and_work)
        world.sweep()
    sent = len(world.simulated.sent)
    world.run()

    # THEN each of the other seven attempts has one message, which nothing postpones
    assert [each.error for each in world.delivery(event).attempts][2] == "interrupted"
    assert len(world.delivery(event).attempts) == 10
    assert len(world.simulated.sent) == sent + 7
    assert not world.simulated.postponed


def test_a_message_whose_attempt_is_hours_away_is_done_for_the_sweep_sends_another() -> None:
    # GIVEN an attempt that waits for hours, and the message of an index that lagged behind it
    world, event = World(), an_event()
    world.receiver.answers = (500,)
    world.submit(event)
    world.run_for(timedelta(minutes=45))
    delivery = world.delivery(event)
    assert delivery.next_attempt_at is not None
    assert delivery.next_attempt_at - world.clock > timedelta(hours=1)

    # WHEN
    world.simulated.send([next_attempt(delivery, NOW)])
    world.receive()

    # THEN
    assert [outcome.done for outcome in world.outcomes][-1]
    assert not world.simulated.waiting
    world.run()
    assert len(world.receiver.posts) == 10
