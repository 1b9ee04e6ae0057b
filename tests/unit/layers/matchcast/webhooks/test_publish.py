"""The stream: repeated and reordered records give one event, poison is buried, and only the queue can hold it up."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from matchcast.domain.batch import Batch, BatchStatus
from matchcast.domain.task import Task, TaskStatus
from matchcast.domain.webhook import DeliveryState
from matchcast.errors import InvalidMessage, QueueUnavailable, RequestRefused
from matchcast.webhook_messages import NewEvent, WebhookMessage, decode_webhook_message
from matchcast.webhooks.events import MOST_BODY_BYTES, event_of
from matchcast.webhooks.ports import StreamRecord
from matchcast.webhooks.publish import PublishEvents
from tests.support.stored_batches import a_batch
from tests.support.tasks import NOW, a_task
from tests.support.webhooks import URL, World, an_ended_task, render

END = {"completed_at": NOW, "callback_url": URL}


def record(subject: Any, number: int = 1) -> StreamRecord:
    return StreamRecord(f"{number:05d}", f"body {number}", subject)


def sent_ids(world: World) -> list[str]:
    messages = [decode_webhook_message(body) for body, _ in world.simulated.sent]
    return [message.event.event_id for message in messages if isinstance(message, NewEvent)]


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        *((an_ended_task(status=status), f"task.{status}") for status in TaskStatus if status.is_final),
        (a_batch(status=BatchStatus.SUCCEEDED, **END), "batch.completed"),
        (a_batch(status=BatchStatus.FAILED, **END), "batch.failed"),
        (a_batch(status=BatchStatus.CANCELLED, **END), "batch.cancelled"),
    ],
)
def test_each_final_state_is_an_event_that_shows_the_status(subject: Task | Batch, kind: str) -> None:
    # WHEN
    event = event_of(subject, render)

    # THEN
    assert event is not None
    subject_id = subject.task_id if isinstance(subject, Task) else subject.batch_id
    assert event.event_id == f"evt_{subject_id.replace('-', '')}_0"
    assert (event.type, event.tenant, event.subject_id) == (kind, subject.tenant, subject_id)
    data = {"status": subject.status.value, "generation": 0}
    expected = {"type": kind, "timestamp": "2026-03-01T12:00:00Z", "data": data}
    assert event.body == json.dumps(expected, separators=(",", ":"))


@pytest.mark.parametrize("subject", [a_task(callback_url=URL), an_ended_task(callback_url=None), a_batch(**END)])
def test_a_subject_that_goes_on_or_has_no_callback_has_no_event(subject: Task | Batch) -> None:
    # GIVEN
    world = World()

    # WHEN
    again = world.publisher.publish([record(subject)])

    # THEN
    assert again is None
    assert not world.simulated.sent
    assert not world.simulated.buried


def test_repeated_and_reordered_records_give_each_receiver_one_id_an_event() -> None:
    # GIVEN twenty tasks and their redriven second ends, each record three times, in any order
    tasks = [an_ended_task(status=TaskStatus.FAILED) for _ in range(20)]
    tasks += [task.model_copy(update={"generation": 1, "status": TaskStatus.SUCCEEDED}) for task in tasks]
    records = [record(task, number) for number, task in enumerate(tasks * 3)]
    random.Random(4).shuffle(records)
    world = World()

    # WHEN
    assert world.publisher.publish(records) is None
    world.run()

    # THEN
    assert len(world.receiver.ids) == len(set(world.receiver.ids)) == 40
    assert {report.outcome for report in world.reports} == {"delivered"}


def broken_render(subject: Task | Batch) -> dict[str, Any]:
    if subject.tenant == "poison":
        raise KeyError("links")
    if subject.tenant == "wide":
        return {"error": "é" * (MOST_BODY_BYTES // 2)}
    return render(subject)


def test_a_record_of_which_nothing_can_be_made_is_buried_and_the_others_go_on() -> None:
    # GIVEN records that cannot be read, rendered, sent for their size, or have no end, each among good ones
    world = World()
    poison = [
        InvalidMessage("no status"),
        an_ended_task(tenant="poison"),
        an_ended_task(tenant="wide"),
        an_ended_task(completed_at=None),
    ]
    good = [an_ended_task() for _ in range(25)]
    records = [record(subject, number) for number, subject in enumerate([*good[:9], *poison, *good[9:]])]

    # WHEN
    again = PublishEvents(world.queue, broken_render).publish(records)

    # THEN
    assert again is None
    assert sorted(sent_ids(world)) == sorted(f"evt_{task.task_id.replace('-', '')}_0" for task in good)
    causes = ["invalid-message", "invalid-message", "invalid-message", "unexpected-fault"]
    assert sorted(cause for _, cause in world.simulated.buried) == causes
    assert sorted(body for body, _ in world.simulated.buried) == ["body 10", "body 11", "body 12", "body 9"]


def test_an_event_that_the_queue_refuses_is_buried_and_its_mates_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a queue that refuses every call with one of three events
    world, tasks = World(), [an_ended_task() for _ in range(3)]
    send = world.queue.send

    def picky(messages: Sequence[WebhookMessage], delays: Sequence[int] | None = None) -> None:
        if any(isinstance(each, NewEvent) and each.event.subject_id == tasks[1].task_id for each in messages):
            raise RequestRefused("characters")
        send(messages, delays)

    monkeypatch.setattr(world.queue, "send", picky)

    # WHEN
    again = world.publisher.publish([record(task, number) for number, task in enumerate(tasks)])

    # THEN
    assert again is None
    assert len(sent_ids(world)) == 2
    assert world.simulated.buried == [("body 1", "request-refused")]


@pytest.mark.parametrize("call", ["send", "bury"])
@pytest.mark.parametrize("good_calls", [0, 1, 2])
def test_an_outage_of_the_queue_returns_the_first_record_that_must_come_again(
    monkeypatch: pytest.MonkeyPatch, call: str, good_calls: int
) -> None:
    # GIVEN 30 records, the last of each ten poison, and a queue that breaks down after some calls
    world = World()
    subjects = [InvalidMessage("poison") if number % 10 == 9 else an_ended_task() for number in range(30)]
    records = [record(subject, number) for number, subject in enumerate(subjects)]
    real, calls = getattr(world.queue, call), iter(range(30))

    def broken(*arguments: Any) -> None:
        if next(calls) >= good_calls:
            raise QueueUnavailable("down")
        real(*arguments)

    # WHEN
    with monkeypatch.context() as outage:
        outage.setattr(world.queue, call, broken)
        again = world.publisher.publish(records)

    # THEN it begins with the ten that were not all sent, and once the queue is back nothing is missing
    assert again == f"{good_calls * 10:05d}"
    rest = [each for each in records if each.sequence_number >= again]
    assert world.publisher.publish(rest) is None
    assert len(set(sent_ids(world))) == 27
    assert {body for body, _ in world.simulated.buried} == {"body 9", "body 19", "body 29"}


def test_an_event_that_is_published_late_is_delivered_at_once() -> None:
    # GIVEN a task that ended an hour ago
    world = World()
    task = an_ended_task(completed_at=NOW - timedelta(hours=1))

    # WHEN
    world.publisher.publish([record(task)])
    world.run()

    # THEN
    delivery = world.deliveries.of_subject(task.task_id)[0]
    assert (delivery.state, world.receiver.times) == (DeliveryState.DELIVERED, [0])
