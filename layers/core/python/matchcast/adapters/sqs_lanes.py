"""The two lanes on SQS, each with the queue of its dead letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matchcast.adapters.aws_errors import unavailable_as
from matchcast.adapters.message_groups import message_group
from matchcast.domain.task import Priority, Task
from matchcast.errors import QueueUnavailable
from matchcast.messages import encode
from matchcast.ports import Received

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import DeleteMessageBatchRequestEntryTypeDef, MessageAttributeValueTypeDef


class SQSLanes:
    """A `PredictionQueue` on two queues."""

    def __init__(
        self, client: SQSClient, queues: Mapping[Priority, str], dead_letters: Mapping[Priority, str] | None = None
    ) -> None:
        self._client = client
        self._queues = queues
        self._dead_letters = dead_letters or {}

    def send(self, task: Task, delay_seconds: int = 0) -> None:
        """Send the task's message in the lane of its priority."""
        with unavailable_as(QueueUnavailable, f"The {task.priority} queue"):
            self._client.send_message(
                QueueUrl=self._queues[task.priority],
                MessageBody=encode(task),
                DelaySeconds=delay_seconds,
                MessageGroupId=message_group(task.tenant),
            )

    def retry_later(self, lane: Priority, receipt_handle: str, seconds: int) -> None:
        """Make a received message visible again after `seconds`."""
        with unavailable_as(QueueUnavailable, f"The {lane} queue"):
            self._client.change_message_visibility(
                QueueUrl=self._queues[lane], ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
            )

    def bury(self, lane: Priority, body: str, cause: str, task_id: str | None) -> None:
        """Send a message to the lane's dead letters, with its cause as an attribute."""
        attributes: dict[str, MessageAttributeValueTypeDef] = {"cause": {"DataType": "String", "StringValue": cause}}
        if task_id is not None:
            attributes["task_id"] = {"DataType": "String", "StringValue": task_id}
        with unavailable_as(QueueUnavailable, f"The dead letters of the {lane} queue"):
            self._client.send_message(QueueUrl=self._dead_letters[lane], MessageBody=body, MessageAttributes=attributes)

    def take(self, lane: Priority) -> Sequence[Received]:
        """Receive up to ten messages that wait in a lane, without waiting for any."""
        with unavailable_as(QueueUnavailable, f"The {lane} queue"):
            answer = self._client.receive_message(
                QueueUrl=self._queues[lane],
                MaxNumberOfMessages=10,
                WaitTimeSeconds=0,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        return [
            Received(
                message_id=message["MessageId"],
                receipt_handle=message["ReceiptHandle"],
                body=message["Body"],
                lane=lane,
                receive_count=int(message["Attributes"]["ApproximateReceiveCount"]),
            )
            for message in answer.get("Messages", [])
        ]

    def remove(self, lane: Priority, taken: Sequence[Received]) -> None:
        """Delete messages that were taken together; one that is not deleted comes again, and finds its task over."""
        entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "ReceiptHandle": received.receipt_handle} for number, received in enumerate(taken)
        ]
        with unavailable_as(QueueUnavailable, f"The {lane} queue"):
            self._client.delete_message_batch(QueueUrl=self._queues[lane], Entries=entries)
