"""Messages of webhooks on SQS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from matchcast.adapters.aws_errors import unavailable_as
from matchcast.adapters.message_groups import message_group
from matchcast.adapters.sqs_batches import SEND_AT_ONCE
from matchcast.errors import QueueUnavailable, RequestRefused
from matchcast.webhook_messages import NewEvent, WebhookMessage, encode_webhook_message

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

MOST_BYTES = 256_000
"""Of the messages of one call; a larger message goes alone."""
_NAME = "The queue of webhooks"


class SQSWebhooks:
    """A `WebhookQueue` on the queue of webhooks and that of its dead letters."""

    def __init__(self, client: SQSClient, queue: str, dead_letters: str) -> None:
        self._client = client
        self._queue = queue
        self._dead_letters = dead_letters

    def send(self, messages: Sequence[WebhookMessage], delays: Sequence[int] | None = None) -> None:
        """Send messages, ten a call, each in the group of its tenant; `delays` in seconds, 900 at most.

        An answer that SQS counts as success lists the messages that were not taken. What is wrong in itself is
        RequestRefused, so that it is tried alone: as an outage it would hold up all that is behind it.
        """
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {
                "Id": str(number),
                "MessageBody": encode_webhook_message(message),
                "DelaySeconds": delay,
                "MessageGroupId": message_group(_tenant(message)),
            }
            for number, (message, delay) in enumerate(zip(messages, delays or [0] * len(messages), strict=True))
        ]
        for some in _calls(entries):
            with unavailable_as(QueueUnavailable, _NAME):
                answer = self._client.send_message_batch(QueueUrl=self._queue, Entries=some)
            failed = sorted(answer.get("Failed", []), key=lambda each: not each["SenderFault"])
            if failed:
                raise (RequestRefused if failed[0]["SenderFault"] else QueueUnavailable)(
                    f"{_NAME} did not take {len(failed)} of {len(some)} messages ({failed[0].get('Code')})."
                )

    def bury(self, body: str, cause: str) -> None:
        """Send a message to the dead letters, with its cause as an attribute."""
        with unavailable_as(QueueUnavailable, "The dead letters of the queue of webhooks"):
            self._client.send_message(
                QueueUrl=self._dead_letters,
                MessageBody=body,
                MessageAttributes={"cause": {"DataType": "String", "StringValue": cause}},
            )

    def retry_later(self, receipt_handle: str, seconds: int) -> None:
        """Make a received message visible again after some seconds."""
        with unavailable_as(QueueUnavailable, _NAME):
            self._client.change_message_visibility(
                QueueUrl=self._queue, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
            )


def _tenant(message: WebhookMessage) -> str:
    return message.event.tenant if isinstance(message, NewEvent) else message.tenant


def _calls(
    entries: Sequence[SendMessageBatchRequestEntryTypeDef],
) -> Iterator[list[SendMessageBatchRequestEntryTypeDef]]:
    """Yield the entries of each call: as many as it takes, by number and by bytes."""
    call: list[SendMessageBatchRequestEntryTypeDef] = []
    size = 0
    for entry in entries:
        entry_bytes = len(entry["MessageBody"].encode())
        if call and (len(call) == SEND_AT_ONCE or size + entry_bytes > MOST_BYTES):
            yield call
            call, size = [], 0
        call.append(entry)
        size += entry_bytes
    if call:
        yield call
