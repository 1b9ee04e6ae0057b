"""Messages of webhooks on SQS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boto3
import pytest

from matchcast.adapters.message_groups import message_group
from matchcast.adapters.sqs_webhooks import MOST_BYTES, SQSWebhooks
from matchcast.errors import QueueUnavailable, RequestRefused
from matchcast.webhook_messages import (
    NewEvent,
    NextAttempt,
    ReplayRange,
    WebhookMessage,
    decode_webhook_message,
    encode_webhook_message,
)
from tests.support.stored_deliveries import numbered
from tests.support.tasks import NOW


class Queue:
    """The queue and its dead letters on moto, and the entries of each call."""

    def __init__(self) -> None:
        self.client = boto3.client("sqs")
        self.url, self.dead = (str(self.client.create_queue(QueueName=name)["QueueUrl"]) for name in ("hooks", "dead"))
        self.calls: list[list[dict[str, Any]]] = []
        self.client.meta.events.register(
            "provide-client-params.sqs.SendMessageBatch", lambda params, **_: self.calls.append(params["Entries"])
        )
        self.queue = SQSWebhooks(self.client, self.url, self.dead)

    def received(self, url: str) -> Sequence[Any]:
        found: list[Any] = []
        while some := self.client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["MessageGroupId"],
        ).get("Messages"):
            found += some
        return found


@pytest.fixture
def there(aws: dict[str, str]) -> Queue:
    return Queue()


def attempt(number: int, tenant: str = "north") -> NextAttempt:
    return NextAttempt(tenant=tenant, event_id=f"evt_{number}_0", series=0, tried=number, due_at=NOW)


def test_messages_come_as_they_were_sent(there: Queue) -> None:
    # GIVEN one message of each kind
    messages: list[WebhookMessage] = [
        NewEvent(event=numbered(1)),
        attempt(1),
        ReplayRange(tenant="north", since=NOW, until=NOW, requested_at=NOW),
        ReplayRange(tenant="north", since=NOW, until=NOW, requested_at=NOW, cursor="2026-03-01T12:00:00.000Z#evt_1_0"),
    ]

    # WHEN they are sent, and none
    there.queue.send(messages)
    there.queue.send([])

    # THEN
    received = there.received(there.url)
    assert [decode_webhook_message(each["Body"]) for each in received] == messages
    assert len(there.calls) == 1


def test_messages_are_sent_ten_a_call_each_with_its_delay(there: Queue) -> None:
    # GIVEN
    messages = [attempt(number) for number in range(23)]
    delays = [number * 39 for number in range(23)]

    # WHEN
    there.queue.send(messages, delays)

    # THEN
    assert [len(call) for call in there.calls] == [10, 10, 3]
    assert [entry["DelaySeconds"] for call in there.calls for entry in call] == delays
    assert [decode_webhook_message(each["Body"]) for each in there.received(there.url)] == messages[:1]


def test_large_messages_share_a_call_as_far_as_it_takes_them(there: Queue) -> None:
    # GIVEN events of 100 kB, and one that fills a call
    events = [numbered(number).model_copy(update={"body": "x" * 100_000}) for number in range(5)]
    events.insert(2, numbered(9).model_copy(update={"body": "x" * 250_000}))

    # WHEN they are sent
    there.queue.send([NewEvent(event=event) for event in events])

    # THEN
    assert [len(call) for call in there.calls] == [2, 1, 2, 1]
    assert all(sum(len(entry["MessageBody"]) for entry in call) <= MOST_BYTES for call in there.calls)
    assert len(there.received(there.url)) == 6


@pytest.mark.parametrize("tenant", ["north", "north east"])
def test_every_message_is_in_the_group_of_its_tenant(there: Queue, tenant: str) -> None:
    # WHEN a message of each kind is sent
    there.queue.send(
        [
            NewEvent(event=numbered(1, tenant=tenant)),
            attempt(1, tenant),
            ReplayRange(tenant=tenant, since=NOW, until=NOW, requested_at=NOW),
        ]
    )

    # THEN
    groups = [each["Attributes"]["MessageGroupId"] for each in there.received(there.url)]
    assert groups == [message_group(tenant)] * 3


def test_messages_that_the_queue_did_not_take_are_reported(there: Queue) -> None:
    # GIVEN an answer that counts as success and names a message that was not taken
    def fail_one(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Failed"] = [{"Id": "1", "SenderFault": False, "Code": "InternalError"}]

    there.client.meta.events.register("after-call.sqs.SendMessageBatch", fail_one)

    # WHEN messages are sent
    # THEN
    with pytest.raises(QueueUnavailable, match=r"1 of 2 messages \(InternalError\)"):
        there.queue.send([attempt(0), attempt(1)])


def test_a_message_that_is_wrong_in_itself_is_refused(there: Queue) -> None:
    # GIVEN an answer that counts as success and says that a message is the sender's fault
    def refuse_one(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Failed"] = [
            {"Id": "0", "SenderFault": False, "Code": "InternalError"},
            {"Id": "1", "SenderFault": True, "Code": "InvalidMessageContents"},
        ]

    there.client.meta.events.register("after-call.sqs.SendMessageBatch", refuse_one)

    # WHEN messages are sent
    # THEN it is no outage, which would hold up all that is behind it
    with pytest.raises(RequestRefused, match=r"InvalidMessageContents"):
        there.queue.send([attempt(0), attempt(1)])


def test_characters_that_sqs_does_not_take_are_escaped() -> None:
    # GIVEN a body with the characters of JSON that no message may have
    message = NewEvent(event=numbered(1).model_copy(update={"body": '{"text":"\ufffe\uffff\ufffd\U0001f600"}'}))

    # WHEN
    body = encode_webhook_message(message)

    # THEN
    assert not {"\ufffe", "\uffff"} & set(body)
    assert decode_webhook_message(body) == message


def test_a_message_is_buried_with_its_cause(there: Queue) -> None:
    there.queue.bury("no JSON", "invalid-message")

    (letter,) = there.received(there.dead)
    assert letter["Body"] == "no JSON"
    assert letter["MessageAttributes"]["cause"]["StringValue"] == "invalid-message"


def test_a_message_comes_again_when_it_is_wanted(there: Queue) -> None:
    # GIVEN a received message
    there.queue.send([attempt(1)])
    (received,) = there.received(there.url)

    # WHEN it is to come again at once
    there.queue.retry_later(received["ReceiptHandle"], 0)

    # THEN
    assert [each["MessageId"] for each in there.received(there.url)] == [received["MessageId"]]


def test_missing_queues_are_reported_as_unavailable(there: Queue) -> None:
    queue = SQSWebhooks(there.client, there.url + "-gone", there.dead + "-gone")

    with pytest.raises(QueueUnavailable, match="The queue of webhooks"):
        queue.send([attempt(1)])
    with pytest.raises(QueueUnavailable, match="dead letters of the queue of webhooks"):
        queue.bury("x", "cause")
    with pytest.raises(QueueUnavailable, match="The queue of webhooks"):
        queue.retry_later("receipt", 1)
