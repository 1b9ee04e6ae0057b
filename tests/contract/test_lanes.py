"""The lanes on SQS as the template makes them."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from matchcast.adapters.in_memory import InMemoryLanes
from matchcast.adapters.sqs_lanes import SQSLanes
from matchcast.domain.task import Priority
from matchcast.errors import QueueUnavailable
from matchcast.messages import decode
from matchcast.ports import PredictionQueue, Received
from tests.support.tasks import a_task


@pytest.fixture
def lanes(aws: dict[str, str]) -> SQSLanes:
    return SQSLanes(
        boto3.client("sqs"),
        {Priority.HIGH: aws["HighQueueUrl"], Priority.NORMAL: aws["NormalQueueUrl"]},
        {Priority.HIGH: aws["HighDeadLetterQueueUrl"], Priority.NORMAL: aws["NormalDeadLetterQueueUrl"]},
    )


def received(url: str) -> list[dict[str, Any]]:
    answer = boto3.client("sqs").receive_message(QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10)
    return [dict(message) for message in answer.get("Messages", [])]


@pytest.mark.parametrize(("priority", "queue"), [("high", "HighQueueUrl"), ("normal", "NormalQueueUrl")])
def test_a_task_goes_into_the_lane_of_its_priority(
    lanes: SQSLanes, aws: dict[str, str], priority: str, queue: str
) -> None:
    task = a_task(priority=priority)

    lanes.send(task)

    assert [decode(str(message["Body"])) for message in received(aws[queue])] == [task]


def test_a_delayed_message_is_not_there_yet(lanes: SQSLanes, aws: dict[str, str]) -> None:
    lanes.send(a_task(), delay_seconds=60)

    assert received(aws["NormalQueueUrl"]) == []


def test_a_message_that_is_tried_later_is_invisible_until_then(lanes: SQSLanes, aws: dict[str, str]) -> None:
    lanes.send(a_task())
    message = received(aws["NormalQueueUrl"])[0]

    lanes.retry_later(Priority.NORMAL, str(message["ReceiptHandle"]), 0)
    assert len(received(aws["NormalQueueUrl"])) == 1


def test_a_dead_letter_keeps_its_body_and_says_its_cause(lanes: SQSLanes, aws: dict[str, str]) -> None:
    # WHEN two messages are buried, one of them with its task
    lanes.bury(Priority.HIGH, "no json", "invalid-message", None)
    lanes.bury(Priority.HIGH, "{}", "model-failed", "task-1")

    # THEN
    letters = received(aws["HighDeadLetterQueueUrl"])

    attributes = [
        {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()} for letter in letters
    ]
    assert [letter["Body"] for letter in letters] == ["no json", "{}"]
    assert attributes == [{"cause": "invalid-message"}, {"cause": "model-failed", "task_id": "task-1"}]


def test_a_missing_queue_is_reported_as_unavailable(aws: dict[str, str]) -> None:
    # GIVEN queues that do not exist
    gone = dict.fromkeys(Priority, aws["HighQueueUrl"] + "-gone")
    lanes = SQSLanes(boto3.client("sqs"), gone, gone)

    # WHEN they are called
    for call in (
        lambda: lanes.send(a_task()),
        lambda: lanes.retry_later(Priority.HIGH, "receipt", 1),
        lambda: lanes.bury(Priority.HIGH, "{}", "cause", None),
        lambda: lanes.take(Priority.HIGH),
        lambda: lanes.remove(Priority.HIGH, [Received("message", "receipt", "{}", Priority.HIGH)]),
    ):
        # THEN
        with pytest.raises(QueueUnavailable):
            call()


class TestTaking:
    """Messages that a worker takes itself, on SQS and in memory."""

    @pytest.fixture(params=["sqs", "memory"])
    def queue(self, request: pytest.FixtureRequest) -> PredictionQueue:
        return request.getfixturevalue("lanes") if request.param == "sqs" else InMemoryLanes()

    def test_up_to_ten_messages_of_one_lane_are_taken_once(self, queue: PredictionQueue) -> None:
        # GIVEN twelve messages in the high lane, and one in the normal lane
        tasks = [a_task(priority="high") for _ in range(12)]
        for task in [*tasks, a_task(priority="normal")]:
            queue.send(task)

        # WHEN messages are taken from the high lane three times
        taken = [queue.take(Priority.HIGH) for _ in range(3)]

        # THEN
        assert [len(receive) for receive in taken] == [10, 2, 0]
        received = [each for receive in taken for each in receive]
        assert {decode(each.body).task_id for each in received} == {task.task_id for task in tasks}
        assert {(each.lane, each.receive_count) for each in received} == {(Priority.HIGH, 1)}

    def test_a_whole_receive_is_removed(self, lanes: SQSLanes, aws: dict[str, str]) -> None:
        # GIVEN ten messages that were taken
        for _ in range(10):
            lanes.send(a_task(priority="high"))
        taken = lanes.take(Priority.HIGH)

        # WHEN they are removed
        lanes.remove(Priority.HIGH, taken)

        # THEN none is left that would come again
        answer = boto3.client("sqs").get_queue_attributes(QueueUrl=aws["HighQueueUrl"], AttributeNames=["All"])
        left = {name: count for name, count in answer["Attributes"].items() if name.startswith("Approximate")}
        assert (len(taken), set(left.values())) == (10, {"0"})

    def test_a_message_that_was_removed_never_comes_again(self, lanes: SQSLanes, aws: dict[str, str]) -> None:
        # GIVEN two messages that were taken
        for _ in range(2):
            lanes.send(a_task(priority="high"))
        done, again = lanes.take(Priority.HIGH)

        # WHEN one is removed and the other is made visible again
        lanes.remove(Priority.HIGH, [done])
        lanes.retry_later(Priority.HIGH, again.receipt_handle, 0)
        (later,) = lanes.take(Priority.HIGH)

        # THEN only the other one comes again
        assert (later.message_id, later.receive_count) == (again.message_id, 2)
