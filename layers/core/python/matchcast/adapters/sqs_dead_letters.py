"""The dead letters of both lanes on SQS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from matchcast.adapters.aws_errors import unavailable_as
from matchcast.domain.task import Priority
from matchcast.errors import QueueUnavailable
from matchcast.ports import DeadLetter

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef


class SQSDeadLetters:
    """`DeadLetters` on two queues."""

    def __init__(self, client: SQSClient, queues: Mapping[Priority, str]) -> None:
        self._client = client
        self._queues = queues

    def receive(self, lane: Priority, hide_seconds: int) -> Iterator[DeadLetter]:
        """Yield every visible letter once, hiding each from other readers for a while."""
        seen: set[str] = set()
        while True:
            with unavailable_as(QueueUnavailable, f"The dead letters of the {lane} queue"):
                answer = self._client.receive_message(
                    QueueUrl=self._queues[lane],
                    MaxNumberOfMessages=10,
                    VisibilityTimeout=hide_seconds,
                    WaitTimeSeconds=1,
                    MessageAttributeNames=["cause"],
                    MessageSystemAttributeNames=["SentTimestamp"],
                )
            letters = [_letter(lane, message) for message in answer.get("Messages", [])]
            fresh = [letter for letter in letters if letter.message_id not in seen]
            if not fresh:
                return
            seen.update(letter.message_id for letter in fresh)
            yield from fresh

    def release(self, letter: DeadLetter) -> None:
        """Make a received letter visible to other readers again."""
        with unavailable_as(QueueUnavailable, f"The dead letters of the {letter.lane} queue"):
            self._client.change_message_visibility(
                QueueUrl=self._queues[letter.lane], ReceiptHandle=letter.receipt_handle, VisibilityTimeout=0
            )

    def delete(self, letter: DeadLetter) -> None:
        """Delete a received letter for good."""
        with unavailable_as(QueueUnavailable, f"The dead letters of the {letter.lane} queue"):
            self._client.delete_message(QueueUrl=self._queues[letter.lane], ReceiptHandle=letter.receipt_handle)


def _letter(lane: Priority, message: MessageTypeDef) -> DeadLetter:
    milliseconds = int(message["Attributes"]["SentTimestamp"])
    attributes: Mapping[str, Any] = message.get("MessageAttributes") or {}
    return DeadLetter(
        lane=lane,
        message_id=message["MessageId"],
        receipt_handle=message["ReceiptHandle"],
        body=message["Body"],
        cause=attributes.get("cause", {}).get("StringValue"),
        sent_at=datetime.fromtimestamp(milliseconds / 1000, UTC),
    )
