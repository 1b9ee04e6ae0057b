"""Stores of deliveries: in memory and on DynamoDB, by the same tests."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import boto3
import pytest

from matchcast.adapters.dynamodb_deliveries import DynamoDBDeliveries
from matchcast.adapters.in_memory_webhooks import InMemoryDeliveries
from matchcast.domain.webhook import Attempt, Delivery, DeliveryState
from matchcast.webhook_messages import NextAttempt
from matchcast.webhooks.ports import DeliveryStore
from tests.support.stored_deliveries import GRACE, claimed, ended, numbered, read
from tests.support.tasks import NOW

LATER = NOW + timedelta(minutes=7)
FINAL = [state for state in DeliveryState if state is not DeliveryState.PENDING]


@pytest.fixture(params=["in memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> DeliveryStore:
    if request.param == "in memory":
        return InMemoryDeliveries()
    return DynamoDBDeliveries(boto3.client("dynamodb"), request.getfixturevalue("aws")["WebhooksTableName"])


def message(delivery: Delivery, due_at: datetime | None) -> NextAttempt:
    return NextAttempt(
        tenant=delivery.event.tenant,
        event_id=delivery.event.event_id,
        series=delivery.series,
        tried=delivery.tried,
        due_at=due_at,
    )


def test_a_new_delivery_comes_back_as_it_was_put(store: DeliveryStore) -> None:
    # GIVEN an event with a body of the longest length, and characters of all kinds
    body = '{"text":"\u00e4\u2713\U0001f600"}' + "x" * 190_000
    event = numbered(1).model_copy(update={"body": body, "occurred_at": NOW.replace(microsecond=123_000)})

    # WHEN it is put
    assert store.create(event, LATER)

    # THEN
    assert read(store, event) == Delivery(event=event, next_attempt_at=event.occurred_at)
    assert [each.event for each in store.of_subject(event.subject_id)] == [event]


def test_a_second_put_loses_and_changes_nothing(store: DeliveryStore) -> None:
    # GIVEN an event that an attempt was made for
    event = numbered(1)
    store.create(event, LATER)
    ended(store, event, DeliveryState.FAILED)
    before = read(store, event)

    # WHEN the stream repeats it
    # THEN
    assert not store.create(event.model_copy(update={"body": "other"}), LATER)
    assert read(store, event) == before
    assert store.due(NOW + timedelta(days=30), 10) == []


@pytest.mark.parametrize("event_id", ["evt_unknown_0", "unknown", "_", "evt__", "x" * 128])
def test_an_id_without_a_delivery_finds_none(store: DeliveryStore, event_id: str) -> None:
    store.create(numbered(1), LATER)

    assert store.get(event_id) is None


def test_the_deliveries_of_a_subject_are_listed_by_generation(store: DeliveryStore) -> None:
    # GIVEN eleven generations of one subject, and another subject
    events = [numbered(1, generation) for generation in (10, 2, 0, 1, *range(3, 10))]
    for event in (*events, numbered(2)):
        store.create(event, LATER)

    # WHEN they are listed
    found = store.of_subject(events[0].subject_id)

    # THEN
    assert [each.event.generation for each in found] == list(range(11))
    assert store.of_subject("0195a1b2-0000-7000-8000-000000000009") == []


def test_a_claim_counts_and_keeps_the_attempt(store: DeliveryStore) -> None:
    # GIVEN
    event = numbered(1)
    store.create(event, NOW)
    attempt = Attempt(number=1, series=0, started_at=NOW)

    # WHEN it is claimed
    assert store.claim(read(store, event), attempt, NOW + GRACE)

    # THEN the record says so, and the sweep looks at it later
    found = read(store, event)
    assert (found.state, found.tried, found.attempts) == (DeliveryState.PENDING, 1, (attempt,))
    assert store.due(NOW + GRACE - timedelta(seconds=1), 10) == []
    assert [(each.tried, each.series) for each in store.due(NOW + GRACE, 10)] == [(1, 0)]


def test_of_many_claims_of_one_attempt_one_wins(store: DeliveryStore) -> None:
    # GIVEN eight workers that have read the same record
    event = numbered(1)
    store.create(event, NOW)
    delivery = read(store, event)
    attempts = [Attempt(number=1, series=0, started_at=NOW + timedelta(seconds=number)) for number in range(8)]

    # WHEN all of them claim, one after the other: the simulated table does not make its writes apart
    won = [store.claim(delivery, attempt, NOW + GRACE) for attempt in attempts]

    # THEN
    assert won.count(True) == 1
    assert read(store, event).attempts == (attempts[won.index(True)],)


@pytest.mark.parametrize("state", FINAL)
def test_a_delivery_that_has_ended_is_neither_claimed_nor_due(store: DeliveryStore, state: DeliveryState) -> None:
    # GIVEN a delivery in a final state
    event = numbered(1)
    store.create(event, NOW)
    ended(store, event, state)
    found = read(store, event)

    # WHEN it is claimed, or ended once more
    attempt = Attempt(number=2, series=0, started_at=NOW)
    won = store.claim(found, attempt, NOW), store.end(found, found.attempts[0], DeliveryState.PENDING, NOW, NOW)

    # THEN
    assert (won, found.state, found.next_attempt_at) == ((False, False), state, None)
    assert read(store, event) == found
    assert store.due(NOW + timedelta(days=30), 10) == []
    assert store.oldest_due(NOW + timedelta(days=30)) is None


def test_an_attempt_that_failed_is_followed_by_the_next(store: DeliveryStore) -> None:
    # GIVEN
    event = numbered(1)
    store.create(event, NOW)
    delivery, attempt = claimed(store, event)

    # WHEN it ends, and the next one is due later
    done = attempt.model_copy(update={"ended_at": NOW + timedelta(seconds=2), "status": 503, "error": "x"})
    assert store.end(delivery, done, DeliveryState.PENDING, LATER, LATER + GRACE)

    # THEN
    found = read(store, event)
    assert (found.state, found.tried, found.attempts, found.next_attempt_at) == ("pending", 1, (done,), LATER)
    assert store.due(LATER, 10) == []
    assert store.due(LATER + GRACE, 10) == [message(found, LATER)]
    second, _ = claimed(store, event, at=LATER)
    assert [each.number for each in second.attempts] == [1, 2]


def test_an_end_that_is_repeated_changes_nothing(store: DeliveryStore) -> None:
    # GIVEN an attempt that has ended, and another that was claimed since
    event = numbered(1)
    store.create(event, NOW)
    first, attempt = claimed(store, event)
    done = attempt.model_copy(update={"ended_at": NOW, "status": 500})
    store.end(first, done, DeliveryState.PENDING, NOW, NOW)
    claimed(store, event, at=LATER)
    before = read(store, event)

    # WHEN the first one ends again, as delivered
    # THEN
    assert not store.end(first, done, DeliveryState.DELIVERED, None, None)
    assert read(store, event) == before


@pytest.mark.parametrize("state", list(DeliveryState))
def test_a_replay_begins_a_series_from_every_state(store: DeliveryStore, state: DeliveryState) -> None:
    # GIVEN a delivery in a state
    event = numbered(1)
    store.create(event, NOW)
    ended(store, event, state)
    before = read(store, event)

    # WHEN it is replayed, twice from what was read
    won = [store.replay(before, LATER, LATER + GRACE) for _ in range(2)]

    # THEN a second one begins no third series, and the attempts so far stay
    found = read(store, event)
    assert won == [True, False]
    assert (found.state, found.series, found.tried) == (DeliveryState.PENDING, 1, 0)
    assert (found.attempts, found.next_attempt_at) == (before.attempts, LATER)
    assert store.due(LATER, 10) == []
    assert store.due(LATER + GRACE, 10) == [message(found, LATER)]


def test_what_a_series_began_the_one_before_cannot_end(store: DeliveryStore) -> None:
    # GIVEN an attempt that runs while its delivery is replayed
    event = numbered(1)
    store.create(event, NOW)
    delivery, attempt = claimed(store, event)
    store.replay(delivery, NOW, NOW)

    # WHEN it ends
    # THEN the new series goes on
    assert not store.end(delivery, attempt, DeliveryState.DELIVERED, None, None)
    assert read(store, event).state is DeliveryState.PENDING
    again, _ = claimed(store, event)
    assert [(each.series, each.number) for each in again.attempts] == [(0, 1), (1, 1)]


def test_a_replay_of_what_is_not_there_begins_nothing(store: DeliveryStore) -> None:
    assert not store.replay(Delivery(event=numbered(1)), NOW, NOW)
    assert not store.claim(Delivery(event=numbered(1)), Attempt(number=1, series=0, started_at=NOW), NOW)
    assert store.get(numbered(1).event_id) is None


def test_due_deliveries_come_oldest_first_and_no_more_than_asked_for(store: DeliveryStore) -> None:
    # GIVEN 200 deliveries in a mixed order, half of them due
    order = [(number * 37) % 200 for number in range(200)]
    for number in order:
        store.create(numbered(number), NOW + timedelta(seconds=number))

    # WHEN those that are due are asked for
    due = {limit: store.due(NOW + timedelta(seconds=99), limit) for limit in (1, 7, 60, 100, 500)}

    # THEN
    ids = [numbered(number).event_id for number in range(100)]
    assert {limit: [each.event_id for each in found] for limit, found in due.items()} == {
        limit: ids[:limit] for limit in due
    }
    assert store.oldest_due(NOW + timedelta(seconds=99)) == NOW
    assert store.oldest_due(NOW - timedelta(seconds=1)) is None


def test_the_sweep_looks_again_later(store: DeliveryStore) -> None:
    # GIVEN a due delivery
    event = numbered(1)
    store.create(event, NOW)
    (due,) = store.due(NOW, 10)

    # WHEN the sweep has sent its message
    store.looked_at(due, LATER)

    # THEN
    assert store.due(LATER - timedelta(seconds=1), 10) == []
    assert store.due(LATER, 10) == [due]


@pytest.mark.parametrize("changed", ["claimed", "ended", "interrupted", "replayed", "gone"])
def test_the_sweep_leaves_what_has_changed_alone(store: DeliveryStore, changed: str) -> None:
    # GIVEN a due delivery that changes after it was listed
    event = numbered(1)
    if changed == "gone":
        due = message(Delivery(event=event), NOW)
    else:
        store.create(event, NOW)
        if changed == "interrupted":
            delivery, attempt = claimed(store, event, at=NOW - GRACE)
        (due,) = store.due(NOW, 10)
    if changed == "interrupted":
        # `tried` rose with the claim, and is the same behind its end.
        assert store.end(delivery, attempt, DeliveryState.PENDING, LATER, LATER)
    elif changed == "claimed":
        claimed(store, event)
    elif changed == "ended":
        ended(store, event, DeliveryState.DELIVERED)
    elif changed == "replayed":
        store.replay(read(store, event), NOW, NOW)
    before = store.due(NOW + GRACE, 10), store.due(LATER, 10)

    # WHEN the sweep has sent its message
    store.looked_at(due, NOW + timedelta(days=1))

    # THEN it is due as it was
    assert (store.due(NOW + GRACE, 10), store.due(LATER, 10)) == before
    assert store.due(NOW + timedelta(days=2), 10) == before[1]


@pytest.mark.parametrize("limit", [1, 3, 4, 100])
def test_a_tenant_s_events_of_a_time_are_found_page_by_page(store: DeliveryStore, limit: int) -> None:
    # GIVEN events of two tenants, several at one moment, and some outside of the range
    until = NOW + timedelta(seconds=3)
    inside = [numbered(number, at=NOW + timedelta(milliseconds=number // 3)) for number in range(10)]
    inside += [numbered(20, generation, at=NOW + timedelta(seconds=1)) for generation in (1, 10, 2)]
    outside = [numbered(30, at=NOW - timedelta(milliseconds=1)), numbered(31, at=until), numbered(32, tenant="south")]
    for event in (*outside, *reversed(inside)):
        store.create(event, NOW)

    # WHEN they are read
    found: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor is not None:
        ids, cursor = store.between("north", NOW, until, cursor, limit)
        found += ids
        pages += 1
        assert len(ids) <= limit

    # THEN each was there once, in order
    assert found == [event.event_id for event in sorted(inside, key=lambda each: (each.occurred_at, each.event_id))]
    assert pages <= len(inside) // limit + 1


@pytest.mark.parametrize("seconds", [0, -5])
def test_a_range_without_time_holds_nothing(store: DeliveryStore, seconds: int) -> None:
    store.create(numbered(1), NOW)

    assert store.between("north", NOW, NOW + timedelta(seconds=seconds), None, 10) == ([], None)


def test_ranges_are_by_the_moment_not_by_its_time_zone(store: DeliveryStore) -> None:
    # GIVEN an event, and its moment in another time zone
    store.create(numbered(1), NOW)
    since = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))

    # THEN
    assert store.between("north", since, since + timedelta(seconds=1), None, 10)[0] == [numbered(1).event_id]
    assert store.between("north", since - timedelta(hours=6), since, None, 10)[0] == []
