"""Replays: one subject's last event, or all of a time range, under their old ids and for their own tenant alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from matchcast.domain.batch import BatchStatus
from matchcast.domain.task import TaskStatus
from matchcast.domain.webhook import DeliveryState
from matchcast.errors import BatchNotFound, Conflict, InvalidRequest, MatchcastError, TaskGone, TaskNotFound
from matchcast.webhook_messages import ReplayRange, decode_webhook_message
from tests.support.replays import Replays
from tests.support.stored_batches import a_batch
from tests.support.tasks import NOW, a_task
from tests.support.webhooks import URL, an_ended_task, an_event


@pytest.mark.parametrize("answer", [200, 410, 500])
def test_the_event_of_a_task_comes_once_more_under_its_id_with_ten_new_attempts(answer: int) -> None:
    # GIVEN an event that has ended
    world, task = Replays(), an_ended_task()
    world.tasks.create(task)
    world.receiver.answers = (answer,)
    world.publish(task)
    world.run()
    posts = len(world.receiver.posts)
    world.endpoints.works("north", URL)

    # WHEN
    world.receiver.answers = (500,)
    assert world.replay.replay_subject("north", task_id=task.task_id) == 1
    world.run(until=timedelta(days=20))

    # THEN
    (delivery,) = world.deliveries.of_subject(task.task_id)
    assert set(world.receiver.ids) == {delivery.event.event_id}
    assert len(world.receiver.posts) == posts + 10
    assert (delivery.state, delivery.series, delivery.tried) == (DeliveryState.FAILED, 1, 10)
    assert [each.number for each in delivery.attempts if each.series == 1] == list(range(1, 11))


def test_an_event_that_the_stream_lost_is_made_from_its_subject() -> None:
    # GIVEN a task and a batch whose ends were never published
    world, task = Replays(), an_ended_task()
    batch = a_batch(status=BatchStatus.FAILED, completed_at=NOW, callback_url=URL)
    world.tasks.create(task)
    world.batches.create(batch)

    # WHEN
    world.replay.replay_subject("north", task_id=task.task_id)
    world.replay.replay_subject("north", batch_id=batch.batch_id)
    world.run()

    # THEN, and a late record of the stream changes nothing
    ids = [f"evt_{each.replace('-', '')}_0" for each in (task.task_id, batch.batch_id)]
    assert sorted(world.receiver.ids) == sorted(ids)
    world.publish(task, batch)
    world.run()
    assert len(world.receiver.posts) == 2


def test_the_last_event_of_a_redriven_task_is_that_of_its_latest_end() -> None:
    # GIVEN a task that failed, was redriven and is queued; later it succeeds, and the stream loses that
    world = Replays()
    failed = an_ended_task(status=TaskStatus.FAILED)
    world.publish(failed)
    world.run()
    queued = failed.model_copy(update={"generation": 1, "status": TaskStatus.QUEUED, "completed_at": None})
    world.tasks.create(queued)

    # WHEN
    world.replay.replay_subject("north", task_id=failed.task_id)
    world.run()
    world.tasks.finish(queued.model_copy(update={"status": TaskStatus.SUCCEEDED, "completed_at": NOW}))
    world.replay.replay_subject("north", task_id=failed.task_id)
    world.run()

    # THEN
    assert [event_id[-2:] for event_id in world.receiver.ids] == ["_0", "_0", "_1"]


def test_an_event_can_be_replayed_after_its_task_has_expired() -> None:
    # GIVEN
    world, task = Replays(), an_ended_task()
    world.tasks.create(task)
    world.publish(task)
    world.run()
    world.clock = task.expires_at + timedelta(hours=1)

    # WHEN
    assert world.replay.replay_subject("north", task_id=task.task_id) == 1
    world.run()

    # THEN
    assert len(world.receiver.posts) == 2


@pytest.mark.parametrize("known", [True, False], ids=["recorded", "lost by the stream"])
def test_another_tenants_events_are_not_there(known: bool) -> None:
    # GIVEN
    world, task = Replays(), an_ended_task()
    batch = a_batch(status=BatchStatus.SUCCEEDED, completed_at=NOW, callback_url=URL)
    world.tasks.create(task)
    world.batches.create(batch)
    if known:
        world.publish(task, batch)
        world.run()
    sent = len(world.simulated.sent)

    # WHEN
    with pytest.raises(TaskNotFound):
        world.replay.replay_subject("south", task_id=task.task_id)
    with pytest.raises(BatchNotFound):
        world.replay.replay_subject("south", batch_id=batch.batch_id)
    world.replay.replay_range("south", NOW - timedelta(days=1), NOW + timedelta(days=1))
    world.run()

    # THEN only the message of the range was sent, and nothing came of it
    assert len(world.simulated.sent) == sent + 1
    assert len(world.receiver.posts) == 2 * known


@pytest.mark.parametrize(
    ("changes", "later", "error"),
    [
        ({"callback_url": None}, timedelta(0), Conflict),
        ({"status": TaskStatus.QUEUED, "completed_at": None}, timedelta(0), Conflict),
        ({}, timedelta(days=2), TaskGone),
        ({}, timedelta(days=9), TaskNotFound),
    ],
)
def test_a_task_without_an_event_says_why(
    changes: dict[str, Any], later: timedelta, error: type[MatchcastError]
) -> None:
    # GIVEN
    world, task = Replays(), an_ended_task(**changes)
    world.tasks.create(task)
    world.clock += later

    # WHEN / THEN
    with pytest.raises(error):
        world.replay.replay_subject("north", task_id=task.task_id)
    assert not world.simulated.sent


def test_neither_an_empty_range_nor_an_unnamed_subject_is_replayed() -> None:
    world = Replays()
    for until in (NOW, NOW - timedelta(seconds=1), None):
        with pytest.raises(InvalidRequest):
            world.replay.replay_range("north", NOW, until)
    with pytest.raises(InvalidRequest):
        world.replay.replay_subject("north")


def test_a_task_that_is_queued_for_the_first_time_has_nothing_to_replay() -> None:
    world, task = Replays(), a_task(callback_url=URL)
    world.tasks.create(task)
    with pytest.raises(Conflict, match="has not ended"):
        world.replay.replay_subject("north", task_id=task.task_id)


def test_an_event_that_waits_for_its_first_attempt_gets_its_message_again_and_no_new_series() -> None:
    # GIVEN an event that was recorded, and whose message is lost
    world, task = Replays(), an_ended_task()
    world.tasks.create(task)
    world.deliveries.create(an_event(task_id=task.task_id), NOW + timedelta(days=1))

    # WHEN
    world.replay.replay_subject("north", task_id=task.task_id)
    world.receive()

    # THEN
    (delivery,) = world.deliveries.of_subject(task.task_id)
    assert [(each.series, each.status) for each in delivery.attempts] == [(0, 200)]


FAR_EAST, FAR_WEST = timezone(timedelta(hours=23, minutes=59)), timezone(-timedelta(hours=23, minutes=59))


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (datetime(1, 1, 1, tzinfo=FAR_EAST), None),
        (datetime(999, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (NOW - timedelta(days=1), datetime(9999, 12, 31, 23, 59, 59, tzinfo=FAR_WEST)),
    ],
    ids=["before the calendar", "all of it", "after the calendar"],
)
def test_a_range_beyond_the_calendar_is_what_of_it_has_events(since: datetime, until: datetime | None) -> None:
    # WHEN
    world = Replays()
    world.replay.replay_range("north", since, until)

    # THEN its times are those of a table that sorts them as texts, in UTC
    [(body, _)] = world.simulated.sent
    sent = decode_webhook_message(body)
    assert isinstance(sent, ReplayRange)
    assert datetime(2000, 1, 1, tzinfo=UTC) <= sent.since < sent.until == sent.requested_at == world.clock
