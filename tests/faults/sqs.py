"""A small SQS: visibility, delays, duplicates, no order, retention, and dead letters after too many receives.

`test_faithful.py` asks moto the same questions.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import random
from collections.abc import Callable
from functools import cache
from typing import Any

from tests.faults.calls import Calls
from tests.faults.expressions import Unmodelled
from tests.faults.queues import BATCHES, LANES, WEBHOOKS, Message, Queue, queues
from tests.faults.scheduler import Actor, Scheduler
from tests.faults.transactions import ServiceError
from tests.support.tasks import NOW

_LATEST_DUPLICATE_SECONDS = 900.0
_EPOCH = NOW.timestamp()


class Queues:
    """Both lanes, the queues of batches and webhooks, and their dead letters, behind requests as the wire brings them.

    A duplicate is a copy with a life of its own: the queue may deliver a message again, even after it was deleted.
    """

    def __init__(
        self, scheduler: Scheduler, rng: random.Random, calls: Calls, most_receives: int, most_of_batches: int = 20
    ) -> None:
        self.on_change: Callable[[str, float], None] = lambda _queue, _moment: None
        """Is told when a message of a queue will be visible."""
        self.on_letter: Callable[[Message, bool], None] = lambda _message, _is_there: None
        """Is told of every letter that comes, or is deleted."""
        self.readers: list[Actor] = []
        """Whom a new dead letter wakes."""
        self.queues = queues(most_receives, most_of_batches)
        self._scheduler = scheduler
        self._rng = rng
        self._calls = calls
        self._numbers = itertools.count(1)

    def handle(self, operation: str, content: Any) -> dict[str, Any]:
        """Answer a request.

        Raises
        ------
        ServiceError
            If the service says no.
        """
        queue = self.queues.get(content["QueueUrl"].rsplit("/", 1)[-1])
        if queue is None:
            raise ServiceError("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
        if operation.endswith("Batch"):
            return self._batch(queue, operation, content["Entries"])
        return self._one(queue, operation, content)

    def letters(self) -> list[Message]:
        """Return the dead letters of both lanes."""
        return [message for lane in LANES for message in self.queues[f"{lane}-dead"].messages]

    def batch_letters(self) -> list[Message]:
        """Return the dead letters of the queue of batches."""
        return self.queues[f"{BATCHES}-dead"].messages

    def webhook_letters(self) -> list[Message]:
        """Return the dead letters of the queue of webhooks."""
        return self.queues[f"{WEBHOOKS}-dead"].messages

    def next_visible(self, name: str) -> float:
        """Return when the next message of a queue can be received."""
        return min((message.visible_at for message in self.queues[name].messages), default=math.inf)

    def take(self, name: str, most: int, visibility: float | None = None) -> list[Message]:
        """Receive some visible messages in no order, hiding them; those received too often become letters instead."""
        queue, now, batch = self.queues[name], self._scheduler.now, []
        kept = [message for message in queue.messages if now < message.sent_at + queue.retention]
        for gone in [message for message in queue.messages if message not in kept]:
            queue.messages.remove(gone)
            if queue.letters is None:
                self.on_letter(gone, False)
        visible = [message for message in kept if message.visible_at <= now]
        for message in self._rng.sample(visible, min(most, len(visible))):
            if message.receives >= queue.most_receives and queue.letters is not None:
                queue.messages.remove(message)
                message.visible_at, message.receives = now, 0
                self._add(queue.letters, message)
                continue
            message.receives += 1
            message.visible_at = now + (queue.visibility if visibility is None else visibility)
            batch.append(message)
        return batch

    def delete(self, queue: Queue, handle: str) -> None:
        """Delete a message; by the receipt of an earlier receive the service may do it, or not."""
        message_id, _, _ = handle.rpartition("/")
        for message in queue.messages:
            if message.message_id == message_id and (message.handle == handle or self._rng.random() < 0.5):
                queue.messages.remove(message)
                if queue.letters is None:
                    self.on_letter(message, False)
                return

    def put(self, queue: Queue, body: str, delay: float = 0.0, **kept: Any) -> Message:
        """Add a message with its attributes and group, and perhaps a duplicate that comes when it likes."""
        now = self._scheduler.now
        message = Message(f"message-{next(self._numbers)}", body, now, now + delay, **kept)
        self._add(queue, message)
        if queue.letters is not None and self._rng.random() < self._calls.weather.duplicated:
            late = now + delay + self._rng.random() ** 4 * _LATEST_DUPLICATE_SECONDS
            self._add(queue, Message(f"message-{next(self._numbers)}", body, now, late, **kept))
        return message

    def _add(self, queue: Queue, message: Message) -> None:
        queue.messages.append(message)
        if queue.letters is not None:
            self.on_change(queue.name, message.visible_at)
            return
        self.on_letter(message, True)
        if queue.name == f"{WEBHOOKS}-dead":
            return
        for reader in self.readers:
            self._scheduler.wake(reader, self._scheduler.now)

    def _send(self, queue: Queue, content: Any) -> dict[str, Any]:
        delay = content.get("DelaySeconds", 0)
        if not 0 <= delay <= 900:
            raise ServiceError("InvalidParameterValue", f"Value {delay} for parameter DelaySeconds is invalid.")
        body = content["MessageBody"]
        kept = {"attributes": content.get("MessageAttributes", {}), "group": content.get("MessageGroupId")}
        message = self.put(queue, body, delay, **kept)
        return {"MessageId": message.message_id, "MD5OfMessageBody": _md5(body)}

    def _receive(self, queue: Queue, content: Any) -> dict[str, Any]:
        taken = self.take(queue.name, content.get("MaxNumberOfMessages", 1), content.get("VisibilityTimeout"))
        return {"Messages": [self._described(message, content) for message in taken]} if taken else {}

    def _described(self, message: Message, content: Any) -> dict[str, Any]:
        shown = {"MessageId": message.message_id, "ReceiptHandle": message.handle, "Body": message.body}
        system = {
            "ApproximateReceiveCount": str(message.receives),
            "SentTimestamp": str(int((_EPOCH + message.sent_at) * 1000)),
            "MessageGroupId": message.group,
        }
        asked = content.get("MessageSystemAttributeNames") or content.get("AttributeNames") or []
        wanted = {name: value for name, value in system.items() if value and (name in asked or "All" in asked)}
        custom = content.get("MessageAttributeNames") or []
        attributes = {name: value for name, value in message.attributes.items() if name in custom or "All" in custom}
        answer = {**shown, "MD5OfBody": _md5(message.body), "Attributes": wanted, "MessageAttributes": attributes}
        return {name: value for name, value in answer.items() if value}

    def _change(self, queue: Queue, content: Any) -> dict[str, Any]:
        now, handle = self._scheduler.now, content["ReceiptHandle"]
        for message in queue.messages:
            if message.handle == handle and message.visible_at > now:
                message.visible_at = now + content["VisibilityTimeout"]
                if queue.letters is not None:
                    self.on_change(queue.name, message.visible_at)
                return {}
        known = any(message.message_id == handle.rpartition("/")[0] for message in queue.messages)
        raise ServiceError("MessageNotInflight" if known else "InvalidParameterValue", "The message is not in flight.")

    def _one(self, queue: Queue, operation: str, content: Any) -> dict[str, Any]:
        match operation:
            case "SendMessage":
                return self._send(queue, content)
            case "ReceiveMessage":
                return self._receive(queue, content)
            case "DeleteMessage":
                self.delete(queue, content["ReceiptHandle"])
                return {}
            case "ChangeMessageVisibility":
                return self._change(queue, content)
        raise Unmodelled(f"SQS's {operation}")

    def _batch(self, queue: Queue, operation: str, entries: list[Any]) -> dict[str, Any]:
        if not 0 < len(entries) <= 10:
            raise ServiceError("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10.")
        done: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        one = operation.removesuffix("Batch")
        for entry in entries:
            if self._rng.random() < self._calls.weather.unprocessed:
                self._calls.trouble("an entry fails")
                failed.append({"Id": entry["Id"], "SenderFault": False, "Code": "InternalError"})
                continue
            try:
                done.append({"Id": entry["Id"], **self._one(queue, one, entry)})
            except ServiceError as error:
                failed.append({"Id": entry["Id"], "SenderFault": True, "Code": error.code})
        return {**({"Successful": done} if done else {}), **({"Failed": failed} if failed else {})}


@cache
def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
