"""A receiver of callbacks that answers as it is told, and their queue in simulated time."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from matchcast.adapters.in_memory_webhooks import InMemoryWebhookQueue
from matchcast.domain.task import Priority
from matchcast.ports import Received
from matchcast.webhook_messages import WebhookMessage, encode_webhook_message
from matchcast.webhooks.ports import Answer
from tests.support.tasks import NOW

VISIBILITY = timedelta(seconds=360)


@dataclass
class Receiver:
    """A receiver that answers in turn what it is told; the last answer for ever. An exception is raised."""

    now: Callable[[], datetime]
    answers: Sequence[int | Answer | BaseException] = (200,)
    posts: list[tuple[datetime, str, Mapping[str, str], bytes]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Answer:
        with self._lock:
            self.posts.append((self.now(), url, headers, body))
            answer = self.answers[min(len(self.posts), len(self.answers)) - 1]
        if isinstance(answer, BaseException):
            raise answer
        return Answer(answer) if isinstance(answer, int) else answer

    @property
    def times(self) -> list[float]:
        """Return at which second after `NOW` each request came."""
        return [(at - NOW).total_seconds() for at, *_ in self.posts]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, _, headers, _ in self.posts]


class SimulatedQueue(InMemoryWebhookQueue):
    """The queue with its delays; each message is delivered `copies` times, some seconds apart."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.copies = 1
        self.seconds_apart = 1
        self.waiting: list[tuple[datetime, int, str, int]] = []
        self._now = now
        self._numbers = count()
        self._again: dict[str, int] = {}
        self._lock = threading.Lock()

    def send(self, messages: Sequence[WebhookMessage], delays: Sequence[int] | None = None) -> None:
        super().send(messages, delays)
        for message, delay in zip(messages, delays or [0] * len(messages), strict=True):
            assert 0 <= delay <= 900
            for copy in range(self.copies):
                self._put(encode_webhook_message(message), delay + copy * self.seconds_apart, 0)

    def retry_later(self, receipt_handle: str, seconds: int) -> None:
        super().retry_later(receipt_handle, seconds)
        self._again[receipt_handle] = seconds

    def take(self) -> list[Received]:
        """Return up to ten messages that are visible."""
        taken: list[Received] = []
        while self.waiting and self.waiting[0][0] <= self._now() and len(taken) < 10:
            _, number, body, receives = heapq.heappop(self.waiting)
            taken.append(Received(f"message-{number}", f"receipt-{number}", body, Priority.NORMAL, receives + 1))
        return taken

    def keep(self, received: Received) -> None:
        """Have a message that was not deleted come again when its time has come."""
        seconds = self._again.pop(received.receipt_handle, VISIBILITY.total_seconds())
        self._put(received.body, seconds, received.receive_count)

    def _put(self, body: str, seconds: float, receives: int) -> None:
        with self._lock:
            at = self._now() + timedelta(seconds=seconds)
            heapq.heappush(self.waiting, (at, next(self._numbers), body, receives))
