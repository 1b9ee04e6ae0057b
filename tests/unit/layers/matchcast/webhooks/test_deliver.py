"""The worker: what becomes of messages that come twice, too early, or raise what nobody expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from matchcast.domain.task import Priority
from matchcast.domain.webhook import Attempt, DeliveryState, Event
from matchcast.errors import QueueUnavailable, RequestRefused, StorageUnavailable
from matchcast.ports import Received
from matchcast.webhook_messages import NewEvent, NextAttempt, encode_webhook_message
from matchcast.webhooks.attempt import POST_SECONDS
from matchcast.webhooks.deliver import RENEW_AFTER_RECEIVES, Outcome
from matchcast.webhooks.ports import Answer
from tests.support.tasks import NOW
from tests.support.webhooks import World, an_event


def received(body: str, number: int = 1, receives: int = 1) -> Received:
    return Received(f"message-{number}", f"receipt-{number}", body, Priority.NORMAL, receives)


def new(event: Event) -> str:
    return encode_webhook_message(NewEvent(event=event))


def test_ten_copies_in_one_receive_are_one_request() -> None:
    # GIVEN
    world, event = World(), an_event()

    # WHEN
    outcomes = world.worker.deliver([received(new(event), number) for number in range(10)])

    # THEN
    assert world.receiver.ids == [event.event_id]
    assert all(outcome.done for outcome in outcomes)


def test_what_one_message_raises_concerns_that_message_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN ten events, of which the table raises what nobody expects for one, and refuses another
    world, events = World(), [an_event() for _ in range(10)]
    faults = {events[3].event_id: RecursionError("deep"), events[7].event_id: RequestRefused("too large")}
    create = world.deliveries.create

    def picky(event: Event, look_at: datetime) -> bool:
        if event.event_id in faults:
            raise faults[event.event_id]
        return create(event, look_at)

    monkeypatch.setattr(world.deliveries, "create", picky)

    # WHEN
    outcomes = world.worker.deliver([received(new(event), number) for number, event in enumerate(events)])

    # THEN
    assert [outcome.done for outcome in outcomes] == [number not in (3, 7) for number in range(10)]
    problems = {outcome.message_id: outcome.problem.code for outcome in outcomes if outcome.problem}
    assert problems == {"message-3": "unexpected-fault", "message-7": "request-refused"}
    assert len(set(world.receiver.ids)) == 8
    assert {handle for handle, _ in world.simulated.postponed} == {"receipt-3", "receipt-7"}


def test_a_message_that_cannot_be_read_is_buried_with_its_cause() -> None:
    # GIVEN
    world = World()
    bodies = ["", "{}", '{"kind":"event","version":2}', '{"kind":"attempt","tenant":"north","event_id":"../x"}']

    # WHEN
    outcomes = world.worker.deliver([received(body, number) for number, body in enumerate(bodies)])

    # THEN
    assert all(outcome.done for outcome in outcomes)
    assert world.simulated.buried == [(body, "invalid-message") for body in bodies]


@pytest.mark.parametrize("fault", [StorageUnavailable("down"), KeyError("state")])
def test_a_message_that_came_too_often_is_renewed_in_an_outage_and_buried_for_a_fault(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    # GIVEN
    world, body = World(), new(an_event())

    def broken(*arguments: object) -> bool:
        raise fault

    monkeypatch.setattr(world.deliveries, "create", broken)

    # WHEN it comes for the last time before that, and then once more
    (before,) = world.worker.deliver([received(body, receives=RENEW_AFTER_RECEIVES - 1)])
    (after,) = world.worker.deliver([received(body, receives=RENEW_AFTER_RECEIVES)])

    # THEN
    assert (before.done, after.done) == (False, True)
    is_outage = isinstance(fault, StorageUnavailable)
    assert world.simulated.sent == ([(body, 900)] if is_outage else [])
    assert world.simulated.buried == ([] if is_outage else [(body, "unexpected-fault")])


@pytest.mark.parametrize("hours", [1, 30])
def test_an_outage_of_any_length_loses_no_event(monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    # GIVEN a table that is out of reach for hours
    world, events = World(), [an_event() for _ in range(3)]

    def down(*arguments: object) -> None:
        raise StorageUnavailable("down")

    with monkeypatch.context() as outage:
        for call in ("create", "get", "due"):
            outage.setattr(world.deliveries, call, down)
        world.submit(*events)
        world.run_for(timedelta(hours=hours))
    assert not world.receiver.posts

    # WHEN
    world.run()

    # THEN
    assert sorted(world.receiver.ids) == sorted(event.event_id for event in events)
    assert not world.simulated.buried
    assert all(world.delivery(event).tried == 1 for event in events)


def test_an_outage_does_not_multiply_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an event that is recorded, and a key that is out of reach for a day
    world, event = World(), an_event()

    def down(*arguments: object) -> None:
        raise StorageUnavailable("down")

    # WHEN
    waiting = []
    with monkeypatch.context() as outage:
        outage.setattr(world.secrets, "values", down)
        world.submit(event)
        for _ in range(24):
            world.run_for(timedelta(hours=1))
            waiting.append(len(world.simulated.waiting))
    world.run()

    # THEN its own message and the sweep's latest ones are under way, no more than in the first hour
    assert max(waiting) <= 4
    assert len(world.receiver.posts) == 1
    assert not world.simulated.buried


def test_a_poster_that_raises_what_nobody_expects_costs_an_attempt_and_blames_no_endpoint() -> None:
    # GIVEN
    world, event = World(), an_event()
    world.receiver.answers = (KeyError("header"), 200)

    # WHEN
    world.submit(event)
    world.run_for(timedelta(seconds=1))

    # THEN
    assert [attempt.error for attempt in world.delivery(event).attempts] == ["unexpected-fault"]
    assert not world.endpoints.list("north")
    world.run()
    assert world.delivery(event).state is DeliveryState.DELIVERED


def test_a_message_that_is_too_early_comes_again_when_its_time_has_come() -> None:
    # GIVEN an attempt that is due in half an hour
    world, event = World(), an_event()
    world.receiver.answers = (Answer(503, retry_after=1_800), 200)
    world.worker.deliver([received(new(event))])
    early = NextAttempt(tenant="north", event_id=event.event_id, series=0, tried=1)

    # WHEN the clock of another worker is 4 s, 100 s and 30 min behind
    outcomes = []
    for seconds in (1_800, 100, 4):
        world.clock = NOW + timedelta(seconds=1_800 - seconds)
        outcomes += world.worker.deliver([received(encode_webhook_message(early))])

    # THEN what is more than fifteen minutes too early is left to the sweep
    assert [outcome.done for outcome in outcomes] == [True, False, True]
    assert [seconds for _, seconds in world.simulated.postponed] == [101]
    assert world.receiver.times == [0, 1_796]


@pytest.mark.parametrize("message", [{"tenant": "south"}, {"series": 1}, {"tried": 0}, {"event_id": "evt_unknown_0"}])
def test_a_message_about_something_else_is_done(message: dict[str, Any]) -> None:
    # GIVEN an event whose second attempt is due
    world, event = World(), an_event()
    world.receiver.answers = (500,)
    world.worker.deliver([received(new(event))])
    world.clock += timedelta(seconds=5)
    attempt = NextAttempt(tenant="north", event_id=event.event_id, series=0, tried=1)

    # WHEN
    wrong = attempt.model_copy(update=message)
    (outcome,) = world.worker.deliver([received(encode_webhook_message(wrong))])

    # THEN
    assert outcome == Outcome("message-1", done=True)
    assert len(world.receiver.posts) == 1


def test_a_late_answer_of_a_worker_that_was_given_up_changes_nothing() -> None:
    # GIVEN a worker that froze in its request, and another one that went on two minutes later
    world, event = World(), an_event()
    world.deliveries.create(event, NOW)
    frozen = Attempt(number=1, series=0, started_at=NOW)
    claimed = world.delivery(event).model_copy(update={"tried": 1, "attempts": (frozen,)})
    assert world.deliveries.claim(world.delivery(event), frozen, NOW + timedelta(seconds=120))
    world.receiver.answers = (500,)
    world.run_for(timedelta(minutes=6))
    assert [each.error for each in world.delivery(event).attempts] == ["interrupted", None]

    # WHEN
    ended = world.deliveries.end(claimed, frozen, DeliveryState.DELIVERED, None, None)

    # THEN
    assert not ended
    assert world.delivery(event).state is DeliveryState.PENDING


def test_where_the_queue_refuses_everything_a_message_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    world = World()

    def down(*arguments: object) -> None:
        raise QueueUnavailable("down")

    for call in ("send", "bury", "retry_later"):
        monkeypatch.setattr(world.queue, call, down)
    monkeypatch.setattr(world.deliveries, "create", down)

    # WHEN
    bodies = ["unreadable", new(an_event()), new(an_event())]
    outcomes = world.worker.deliver([received(body, receives=1 + 10 * n) for n, body in enumerate(bodies)])

    # THEN
    assert [outcome.done for outcome in outcomes] == [False, False, False]


def test_a_request_has_twenty_seconds_and_the_headers_of_standard_webhooks() -> None:
    # GIVEN
    world, event = World(), an_event()
    seen: list[tuple[str, Sequence[str], bytes, float]] = []

    class Strict:
        def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Answer:
            seen.append((url, sorted(headers), body, seconds))
            return Answer(200)

    world.poster = Strict()

    # WHEN
    world.worker.deliver([received(new(event))])

    # THEN
    names = ["content-type", "webhook-id", "webhook-signature", "webhook-timestamp"]
    assert seen == [(event.url, names, event.body.encode(), POST_SECONDS)]
    assert POST_SECONDS == 20
