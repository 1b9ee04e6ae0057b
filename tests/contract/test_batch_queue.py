"""Messages of batches on SQS, and the groups of all messages on the lanes."""

from __future__ import annotations

import hashlib
from typing import Any

import boto3
import pytest

from matchcast.adapters.message_groups import message_group
from matchcast.adapters.sqs_batches import SQSBatches
from matchcast.adapters.sqs_lanes import SQSLanes
from matchcast.batch_messages import (
    BatchMessage,
    JoinBatch,
    LosePart,
    RunPart,
    SplitBatch,
    decode_batch_message,
    decode_part,
)
from matchcast.domain.task import Priority
from matchcast.errors import QueueUnavailable
from tests.support.tasks import a_task

HASHED = ["north east", "n\u00f6rd", "x" * 129, "", "tab\t"]
"""Tenants that are no group id."""


def part(number: int, tenant: str = "north") -> RunPart:
    return RunPart(batch_id="batch-1", tenant=tenant, position=number, number=number)


def received(url: str) -> list[Any]:
    client, found = boto3.client("sqs"), []
    while some := client.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["MessageGroupId"]
    ).get("Messages"):
        found += some
    return found


def groups(url: str) -> list[str]:
    return [message["Attributes"]["MessageGroupId"] for message in received(url)]


@pytest.fixture
def batches_queue(aws: dict[str, str]) -> str:
    return str(boto3.client("sqs").create_queue(QueueName="matchcast-test-batches-of-a-test")["QueueUrl"])


@pytest.fixture
def queue(aws: dict[str, str], batches_queue: str) -> SQSBatches:
    return SQSBatches(boto3.client("sqs"), batches_queue, aws["NormalQueueUrl"])


@pytest.mark.parametrize("tenant", ["north", "7f3a.client_id-1", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "x" * 128])
def test_a_tenant_is_its_own_group_where_sqs_takes_it(tenant: str) -> None:
    assert message_group(tenant) == tenant


@pytest.mark.parametrize("tenant", HASHED)
def test_another_tenant_has_the_group_of_its_digest(tenant: str) -> None:
    assert message_group(tenant) == hashlib.sha256(tenant.encode()).hexdigest()


def test_messages_of_batches_come_as_they_were_sent(queue: SQSBatches, batches_queue: str) -> None:
    # GIVEN one message of each kind
    split = SplitBatch(batch_id="batch-1", tenant="north")
    join = JoinBatch(batch_id="batch-1", tenant="north", generation=2)
    lose = LosePart(batch_id="batch-1", tenant="north", position=1, number=3)
    messages: list[BatchMessage] = [split, join, lose]

    # WHEN they are sent, and one more with a delay
    for message in messages:
        queue.send(message)
    queue.send(split, delay_seconds=30)

    # THEN
    assert [decode_batch_message(each["Body"]) for each in received(batches_queue)] == messages


def test_parts_are_sent_ten_a_call(queue: SQSBatches, aws: dict[str, str]) -> None:
    # GIVEN 23 parts
    calls: list[int] = []
    queue._client.meta.events.register(
        "provide-client-params.sqs.SendMessageBatch", lambda params, **_: calls.append(len(params["Entries"]))
    )
    parts = [part(number) for number in range(23)]

    # WHEN they are sent, and none
    queue.send_parts(parts)
    queue.send_parts([])

    # THEN
    assert calls == [10, 10, 3]
    assert (
        sorted((decode_part(each["Body"]) for each in received(aws["NormalQueueUrl"])), key=lambda each: each.number)
        == parts
    )


def test_delayed_parts_are_not_there_yet(queue: SQSBatches, aws: dict[str, str]) -> None:
    queue.send_parts([part(0)], delay_seconds=60)

    assert received(aws["NormalQueueUrl"]) == []


def test_a_part_that_the_queue_did_not_take_is_reported(queue: SQSBatches) -> None:
    # GIVEN an answer that counts as success and names a message that was not taken
    def fail_one(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Failed"] = [{"Id": "1", "SenderFault": False, "Code": "InternalError"}]

    queue._client.meta.events.register("after-call.sqs.SendMessageBatch", fail_one)

    # WHEN parts are sent
    # THEN
    with pytest.raises(QueueUnavailable, match=r"1 of 2 parts \(InternalError\)"):
        queue.send_parts([part(0), part(1)])


def test_missing_queues_are_reported_as_unavailable(aws: dict[str, str]) -> None:
    gone = aws["NormalQueueUrl"] + "-gone"
    queue = SQSBatches(boto3.client("sqs"), gone, gone)

    with pytest.raises(QueueUnavailable, match="queue of batches"):
        queue.send(SplitBatch(batch_id="b", tenant="north"))
    with pytest.raises(QueueUnavailable, match="normal queue"):
        queue.send_parts([part(0)])


@pytest.mark.parametrize("tenant", ["north", "north east"])
def test_every_message_is_in_the_group_of_its_tenant(
    queue: SQSBatches, batches_queue: str, aws: dict[str, str], tenant: str
) -> None:
    # GIVEN the lanes and the queue of batches
    urls = {Priority.HIGH: aws["HighQueueUrl"], Priority.NORMAL: aws["NormalQueueUrl"]}
    lanes = SQSLanes(boto3.client("sqs"), urls)

    # WHEN a message of each kind is sent
    for priority in Priority:
        lanes.send(a_task(tenant=tenant, priority=priority))
    queue.send(SplitBatch(batch_id="b", tenant=tenant))
    queue.send_parts([part(0, tenant)])

    # THEN
    group = message_group(tenant)
    assert [groups(url) for url in (*urls.values(), batches_queue)] == [[group], [group, group], [group]]
