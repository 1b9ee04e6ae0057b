"""What starts deliver_webhooks: the stream, the queue, the schedule; and what each of them is told."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.deliver_webhooks import handler
from matchcast.adapters.in_memory_webhooks import (
    InMemoryDeliveries,
    InMemoryEndpoints,
    InMemorySecrets,
    InMemoryWebhookQueue,
)
from matchcast.bootstrap import deliveries as composition
from matchcast.domain.webhook import DeliveryState, SecretRecord
from matchcast.errors import QueueUnavailable
from matchcast.http.webhook_envelope import event_data
from matchcast.webhook_messages import NewEvent, decode_webhook_message, encode_webhook_message
from matchcast.webhooks.deliver import DeliverEvents
from matchcast.webhooks.ports import Answer
from matchcast.webhooks.publish import PublishEvents
from matchcast.webhooks.sweep import SweepDeliveries
from tests.support.http_events import Context
from tests.support.parts import put
from tests.support.tasks import NOW
from tests.support.webhooks import an_event

EVENT = json.loads((Path(handler.__file__).parent / "event.json").read_text())


class Queue(InMemoryWebhookQueue):
    """A queue that can be out of reach."""

    is_down = False

    def send(self, *given: Any) -> None:
        if self.is_down:
            raise QueueUnavailable("The queue did not answer.")
        super().send(*given)


class Desk:
    """The parts of the function in memory, and a receiver that answers as it is told."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.queue, self.deliveries = Queue(), InMemoryDeliveries()
        self.status, self.now = 204, NOW
        secrets = InMemorySecrets()
        secrets.add("north", SecretRecord(secret_id="s", created_at=NOW), b"x" * 32)
        deliver = DeliverEvents(
            deliveries=self.deliveries,
            endpoints=InMemoryEndpoints(),
            secrets=secrets,
            queue=self.queue,
            poster=self,
            now=lambda: self.now,
            report=composition._report,
        )
        made = {
            "deliveries.deliver_events": deliver,
            "deliveries.publish_events": PublishEvents(self.queue, event_data),
            "deliveries.sweep_deliveries": SweepDeliveries(self.deliveries, self.queue, lambda: self.now, lambda: 0.0),
        }
        put(patch.setattr, made)

    def post(self, *_: Any) -> Answer:
        return Answer(self.status)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


def invoke(event: dict[str, Any]) -> Any:
    return handler.lambda_handler(event, Context())


def receive(*bodies: str) -> list[str]:
    """Hand over messages; return the numbers of those that come again."""
    records = [
        {"messageId": f"m{n}", "receiptHandle": f"r{n}", "body": body, "attributes": {"ApproximateReceiveCount": "1"}}
        for n, body in enumerate(bodies)
    ]
    return [item["itemIdentifier"] for item in invoke({"Records": records})["batchItemFailures"]]


def metrics_of(written: str) -> dict[str, Any]:
    """Return the metrics of an invocation by name, each with its value and the outcome that it has."""
    found: dict[str, Any] = {}
    for line in written.splitlines():
        record = json.loads(line)
        for group in record.get("_aws", {}).get("CloudWatchMetrics", []):
            found |= {each["Name"]: (record[each["Name"]], record.get("outcome")) for each in group["Metrics"]}
    return found


def test_a_record_of_the_stream_becomes_an_event_with_what_the_status_shows(desk: Desk) -> None:
    # WHEN
    answer = invoke(EVENT)
    # THEN
    assert answer == {"batchItemFailures": []}
    [(body, delay)] = desk.queue.sent
    message = decode_webhook_message(body)
    assert isinstance(message, NewEvent)
    content = json.loads(message.event.body)
    assert (delay, content["type"], content["data"]["status"]) == (0, "task.failed", "failed")
    assert not {"tenant", "callback_url", "features"} & content["data"].keys()


def test_a_record_that_cannot_be_read_is_buried_and_the_others_go_on(desk: Desk) -> None:
    # GIVEN
    broken = copy.deepcopy(EVENT["Records"][0])
    broken["dynamodb"]["NewImage"]["created_at"] = {"S": "yesterday"}
    # WHEN
    answer = invoke({"Records": [broken, *EVENT["Records"]]})
    # THEN
    assert answer == {"batchItemFailures": []}
    assert [cause for _, cause in desk.queue.buried] == ["invalid-message"]
    assert len(desk.queue.sent) == 1


def test_records_come_again_from_the_first_that_the_queue_did_not_take(desk: Desk) -> None:
    desk.queue.is_down = True
    first = EVENT["Records"][0]["dynamodb"]["SequenceNumber"]
    assert invoke(EVENT) == {"batchItemFailures": [{"itemIdentifier": first}]}


def test_an_event_is_delivered_and_counted(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN
    event = an_event()
    # WHEN
    again = receive(encode_webhook_message(NewEvent(event=event)), "{")
    # THEN the message that cannot be read is buried, and neither comes again
    assert again == []
    assert [cause for _, cause in desk.queue.buried] == ["invalid-message"]
    delivery = desk.deliveries.get(event.event_id)
    assert delivery is not None
    assert delivery.state is DeliveryState.DELIVERED
    written = metrics_of(capsys.readouterr().out)
    assert written["webhook_deliveries_total"] == ([1.0], "delivered")
    assert "webhook_attempt_seconds" in written


def test_what_the_queue_does_not_take_comes_again(desk: Desk) -> None:
    # GIVEN a receiver that fails, and a queue that does not take the next attempt
    desk.status, desk.queue.is_down = 500, True
    # WHEN
    again = receive(encode_webhook_message(NewEvent(event=an_event())))
    # THEN
    assert again == ["m0"]


def test_a_sweep_sends_what_is_due_and_says_how_late_it_is(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN an event whose message was lost an hour ago
    event = an_event()
    desk.deliveries.create(event, NOW)
    desk.now += timedelta(hours=1)
    # WHEN
    swept = invoke({"source": "aws.events", "detail-type": "Scheduled Event"})
    # THEN
    assert swept["sent"] == 1
    written = metrics_of(capsys.readouterr().out)
    assert written[handler.OLDEST] == ([3600.0], None)
    # AND without anything to do it says so, so that its alarm knows that it runs
    assert invoke({})["sent"] == 0
    assert metrics_of(capsys.readouterr().out)[handler.OLDEST] == ([0.0], None)
