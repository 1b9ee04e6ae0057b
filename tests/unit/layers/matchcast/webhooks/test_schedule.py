"""Attempts in simulated time: the schedule of Standard Webhooks, and what ends it early."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import accumulate, pairwise

import pytest

from matchcast.domain.webhook import SCHEDULE_SECONDS, DeliveryState
from matchcast.errors import AddressRefused, DeliveryFailed
from matchcast.webhooks.ports import Answer
from matchcast.webhooks.schedule import delay_seconds, look_at
from tests.support.tasks import NOW
from tests.support.webhooks import World, an_event, no_jitter


def test_an_endpoint_that_answers_500_for_ever_gets_ten_attempts_exactly_at_the_schedule() -> None:
    # GIVEN
    world, event = World(), an_event()
    world.receiver.answers = (500,)

    # WHEN
    world.submit(event)
    world.run()

    # THEN it has failed after 75 h 35 min, for one message an attempt, and every attempt is listed
    assert world.receiver.times == list(accumulate(SCHEDULE_SECONDS))
    assert world.receiver.times[-1] == 272_105
    assert len(world.simulated.sent) == 10
    delivery = world.delivery(event)
    assert (delivery.state, delivery.next_attempt_at) == (DeliveryState.FAILED, None)
    assert [(each.number, each.series, each.status) for each in delivery.attempts] == [
        (n, 0, 500) for n in range(1, 11)
    ]
    assert [each.outcome for each in world.reports] == ["retried"] * 9 + ["failed"]


@pytest.mark.parametrize("seed", range(5))
def test_with_jitter_each_delay_is_up_to_a_tenth_longer(seed: int) -> None:
    # GIVEN
    world = World(random.Random(seed).uniform)
    world.receiver.answers = (503,)

    # WHEN
    world.submit(an_event())
    world.run()

    # THEN
    delays = [later - earlier for earlier, later in pairwise(world.receiver.times)]
    ratios = [delay / base for delay, base in zip(delays, SCHEDULE_SECONDS[1:], strict=True)]
    assert all(1 <= ratio <= 1.1 for ratio in ratios), ratios
    assert max(ratios) > 1.01


def test_a_receiver_that_is_down_for_five_attempts_gets_the_event_at_the_sixth() -> None:
    # GIVEN a receiver that refuses connections, hangs, redirects and fails, one after the other
    world, event = World(), an_event()
    world.receiver.answers = (
        DeliveryFailed("refused", "connection"),
        DeliveryFailed("slow", "timeout"),
        302,
        500,
        429,
        204,
    )

    # WHEN
    world.submit(event)
    world.run()

    # THEN each attempt has one id, and its own time
    delivery = world.delivery(event)
    assert delivery.state is DeliveryState.DELIVERED
    assert world.receiver.ids == [event.event_id] * 6
    assert len({headers["webhook-timestamp"] for _, _, headers, _ in world.receiver.posts}) == 6
    assert {body for *_, body in world.receiver.posts} == {event.body.encode()}
    assert [each.error or each.status for each in delivery.attempts] == ["connection", "timeout", 302, 500, 429, 204]
    assert world.receiver.times == list(accumulate(SCHEDULE_SECONDS))[:6]


@pytest.mark.parametrize(
    ("answer", "state", "works"),
    [
        (410, DeliveryState.STOPPED, True),
        (AddressRefused("inside"), DeliveryState.REFUSED, True),
        (200, DeliveryState.DELIVERED, True),
        (299, DeliveryState.DELIVERED, True),
    ],
)
def test_an_answer_that_ends_the_event_is_the_last_one_and_no_failure_of_the_endpoint(
    answer: int | AddressRefused, state: DeliveryState, works: bool
) -> None:
    # GIVEN
    world, event = World(), an_event()
    world.receiver.answers = (answer,)

    # WHEN
    world.submit(event)
    world.run()

    # THEN
    assert world.delivery(event).state is state
    assert len(world.receiver.posts) == 1
    assert not world.endpoints.list("north")
    assert [each.outcome for each in world.reports] == [state.value]


@pytest.mark.parametrize("status", [100, 199, 300, 301, 307, 308, 400, 401, 404, 409, 411, 429, 500, 599])
def test_every_other_answer_is_a_failure(status: int) -> None:
    # GIVEN
    world, event = World(), an_event()
    world.receiver.answers = (status, 200)

    # WHEN
    world.submit(event)
    world.run()

    # THEN
    assert world.delivery(event).state is DeliveryState.DELIVERED
    assert world.receiver.times == [0, 5]


@pytest.mark.parametrize(
    ("tried", "retry_after", "seconds"),
    [
        (1, None, 5),
        (1, 0, 5),
        (1, -3, 5),
        (1, 6.2, 7),
        (1, 3_600, 3_600),
        (1, 10**9, 86_400),
        (1, float("inf"), 86_400),
        (5, 60, 18_000),
        (9, 60, 86_400),
        (10, 60, None),
    ],
)
def test_retry_after_counts_between_the_schedule_and_a_day(
    tried: int, retry_after: float | None, seconds: int | None
) -> None:
    assert delay_seconds(tried, no_jitter, retry_after) == seconds


@pytest.mark.parametrize(("asked", "second"), [(120, 120), (1_000, 1_000), (7 * 86_400, 86_400)])
def test_an_attempt_is_made_when_the_receiver_asks_for_it(asked: float, second: float) -> None:
    # GIVEN
    world = World()
    world.receiver.answers = (Answer(503, retry_after=asked), 200)

    # WHEN
    world.submit(an_event())
    world.run()

    # THEN
    assert world.receiver.times == [0, second]


def test_what_waits_long_has_no_message_under_way() -> None:
    # GIVEN an event whose fourth attempt has failed: the next one is in two hours
    world = World()
    world.receiver.answers = (500,)
    world.submit(an_event())
    world.run_for(timedelta(seconds=2_110))

    # WHEN
    sent = len(world.simulated.sent)
    world.run_for(timedelta(minutes=110))

    # THEN
    assert len(world.receiver.posts) == 4
    assert not world.simulated.waiting
    assert len(world.simulated.sent) == sent


@pytest.mark.parametrize(("seconds", "after"), [(5, 120), (900, 120), (901, -300), (86_400, -300)])
def test_the_sweep_looks_behind_an_attempt_that_has_a_message_and_before_one_that_has_none(
    seconds: int, after: int
) -> None:
    assert look_at(NOW, seconds) == NOW + timedelta(seconds=after)
