"""Messages of batches on SQS: the queue of batches, and parts on the normal lane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matchcast.adapters.aws_errors import unavailable_as
from matchcast.adapters.message_groups import message_group
from matchcast.batch_messages import BatchMessage, RunPart, encode_message
from matchcast.errors import QueueUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

SEND_AT_ONCE = 10
"""Messages that one SendMessageBatch takes."""


class SQSBatches:
    """A `BatchQueue` on the queue of batches and the normal lane."""

    def __init__(self, client: SQSClient, batches: str, normal_lane: str) -> None:
        self._client = client
        self._batches = batches
        self._normal_lane = normal_lane

    def send(self, message: BatchMessage, delay_seconds: int = 0) -> None:
        """Send a message to the queue of batches."""
        with unavailable_as(QueueUnavailable, "The queue of batches"):
            self._client.send_message(
                QueueUrl=self._batches,
                MessageBody=encode_message(message),
                DelaySeconds=delay_seconds,
                MessageGroupId=message_group(message.tenant),
            )

    def send_parts(self, parts: Sequence[RunPart], delay_seconds: int = 0) -> None:
        """Send parts to the normal lane, ten a call.

        An answer that SQS counts as success lists the messages that were not taken.
        """
        for start in range(0, len(parts), SEND_AT_ONCE):
            entries: list[SendMessageBatchRequestEntryTypeDef] = [
                {
                    "Id": str(number),
                    "MessageBody": encode_message(part),
                    "DelaySeconds": delay_seconds,
                    "MessageGroupId": message_group(part.tenant),
                }
                for number, part in enumerate(parts[start : start + SEND_AT_ONCE])
            ]
            with unavailable_as(QueueUnavailable, "The normal queue"):
                answer = self._client.send_message_batch(QueueUrl=self._normal_lane, Entries=entries)
            failed = answer.get("Failed", [])
            if failed:
                raise QueueUnavailable(
                    f"The normal queue did not take {len(failed)} of {len(entries)} parts ({failed[0].get('Code')})."
                )
