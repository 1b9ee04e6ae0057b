"""The dead letters of queues on SQS, ten a call and several calls at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from matchcast.adapters.aws_errors import unavailable_as
from matchcast.errors import QueueUnavailable
from matchcast.ports import DeadLetter

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import ChangeMessageVisibilityBatchRequestEntryTypeDef, MessageTypeDef

Name = TypeVar("Name", bound=str)
_LETTERS_A_CALL = 10
_ROUNDS_WITHOUT_NEWS = 2
"""After so many rounds in a row without a new letter the queue has no more: one alone may have missed some."""


class SQSDeadLetters:
    """`DeadLetters` on some queues, by the names of what they are the dead letters of.

    `calls_at_once` is at most the number of connections of the client. A receive waits `wait_seconds` for a letter:
    with 0, SQS asks only some of its servers, and a queue that is not empty may answer with nothing.
    """

    def __init__(
        self, client: SQSClient, queues: Mapping[Name, str], *, calls_at_once: int = 8, wait_seconds: int = 1
    ) -> None:
        self._client = client
        self._queues: dict[str, str] = {name: url for name, url in queues.items()}  # noqa: C416 - other keys
        self._calls_at_once = calls_at_once
        self._wait_seconds = wait_seconds
        self._threads = ThreadPoolExecutor(calls_at_once, thread_name_prefix="dead-letters")

    def receive(self, queue: str, hide_seconds: int) -> Generator[DeadLetter, None, None]:
        """Yield every visible letter once, hiding each from other readers for a while.

        It receives as the reader goes on: twice as many calls at once each time, and one where nothing new came.
        A reader that closes the iterator early has been given every letter that stays hidden.
        """
        seen: set[str] = set()
        calls, without_news = 1, 0
        while without_news < _ROUNDS_WITHOUT_NEWS:
            answers = self._threads.map(lambda _: self._receive(queue, hide_seconds), range(calls))
            # A letter may come twice, and again when it has been hidden for long.
            fresh = {each.message_id: each for letters in answers for each in letters if each.message_id not in seen}
            seen.update(fresh)
            calls = min(2 * calls, self._calls_at_once) if fresh else 1
            without_news = 0 if fresh else without_news + 1
            waiting = deque(fresh.values())
            try:
                while waiting:
                    yield waiting.popleft()
            finally:
                self.release(*waiting)

    def release(self, *letters: DeadLetter) -> None:
        """Make received letters visible to other readers again, except those that were deleted."""
        calls: list[tuple[str, Sequence[DeadLetter]]] = []
        for queue in self._queues:
            mine = [letter for letter in letters if letter.queue == queue]
            calls += [(queue, mine[at : at + _LETTERS_A_CALL]) for at in range(0, len(mine), _LETTERS_A_CALL)]
        deque(self._threads.map(lambda call: self._show(*call), calls), maxlen=0)

    def delete(self, letter: DeadLetter) -> None:
        """Delete a received letter for good."""
        with unavailable_as(QueueUnavailable, f"The dead letters of the {letter.queue} queue"):
            self._client.delete_message(QueueUrl=self._queues[letter.queue], ReceiptHandle=letter.receipt_handle)

    def _receive(self, queue: str, hide_seconds: int) -> list[DeadLetter]:
        with unavailable_as(QueueUnavailable, f"The dead letters of the {queue} queue"):
            answer = self._client.receive_message(
                QueueUrl=self._queues[queue],
                MaxNumberOfMessages=_LETTERS_A_CALL,
                VisibilityTimeout=hide_seconds,
                WaitTimeSeconds=self._wait_seconds,
                MessageAttributeNames=["cause"],
                MessageSystemAttributeNames=["SentTimestamp"],
            )
        return [_letter(queue, message) for message in answer.get("Messages", [])]

    def _show(self, queue: str, letters: Sequence[DeadLetter]) -> None:
        entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
            {"Id": str(number), "ReceiptHandle": letter.receipt_handle, "VisibilityTimeout": 0}
            for number, letter in enumerate(letters)
        ]
        # One that fails was deleted, is visible already, or will be when its time is over.
        with unavailable_as(QueueUnavailable, f"The dead letters of the {queue} queue"):
            self._client.change_message_visibility_batch(QueueUrl=self._queues[queue], Entries=entries)


def _letter(queue: str, message: MessageTypeDef) -> DeadLetter:
    milliseconds = int(message["Attributes"]["SentTimestamp"])
    attributes: Mapping[str, Any] = message.get("MessageAttributes") or {}
    return DeadLetter(
        queue=queue,
        message_id=message["MessageId"],
        receipt_handle=message["ReceiptHandle"],
        body=message["Body"],
        cause=attributes.get("cause", {}).get("StringValue"),
        sent_at=datetime.fromtimestamp(milliseconds / 1000, UTC),
    )
