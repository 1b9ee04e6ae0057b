"""Our sender in this process: the worker of the queue, with its poster and signatures, over real connections.

Records and queue are in memory. Its clock is put on to the next message in place of waiting for it.
"""

from __future__ import annotations

import base64
import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from matchcast.adapters.https_poster import HttpsPoster
from matchcast.adapters.in_memory_webhooks import (
    InMemoryDeliveries,
    InMemoryEndpoints,
    InMemorySecrets,
    InMemoryWebhookQueue,
)
from matchcast.domain.batch import BatchStatus
from matchcast.domain.task import Priority, TaskStatus, utc_now
from matchcast.domain.webhook import Event, SecretRecord
from matchcast.http.webhook_envelope import event_data
from matchcast.ports import Received
from matchcast.webhook_messages import NewEvent, NextAttempt, WebhookMessage, decode_webhook_message
from matchcast.webhooks.attempt import POST_SECONDS
from matchcast.webhooks.deliver import DeliverEvents
from matchcast.webhooks.events import event_of
from matchcast.webhooks.ports import Answer
from tests.conformance.job import Job
from tests.support.stored_batches import a_batch
from tests.support.tasks import a_prediction, a_task

TENANT = "north"


def deliver(job: Job) -> None:
    """Deliver the events of a job."""
    clock = _Clock()
    queue = _Queue(clock)
    secrets = InMemorySecrets()
    for number, secret in enumerate(reversed(job.secrets)):
        record = SecretRecord(secret_id=str(number), created_at=clock.now())
        secrets.add(TENANT, record, base64.b64decode(secret.removeprefix("whsec_")))
    worker = DeliverEvents(
        deliveries=InMemoryDeliveries(),
        endpoints=InMemoryEndpoints(),
        secrets=secrets,
        queue=queue,
        poster=_ScaledPoster(job.timeout_seconds / POST_SECONDS),
        now=clock.now,
        report=lambda _: None,
    )
    queue.send([NewEvent(event=_event(name, job.url)) for name in job.events])
    while queue.waiting:
        received = queue.take()
        message = decode_webhook_message(received.body)
        if not isinstance(message, NextAttempt) or message.tried < job.attempts:
            [outcome] = worker.deliver([received])
            if not outcome.done:
                raise RuntimeError(f"a message is not done: {outcome.problem}")


def _event(name: str, url: str) -> Event:
    """Return an event of a new task or batch."""
    kind, _, status = name.partition(".")
    ended = {"callback_url": url, "completed_at": utc_now(), "tenant": TENANT}
    if kind == "batch":
        state = BatchStatus("succeeded" if status == "completed" else status)
        event = event_of(a_batch(status=state, **ended), event_data)
    else:
        result = a_prediction() if status == "succeeded" else None
        event = event_of(a_task(status=TaskStatus(status), result=result, **ended), event_data)
    if event is None:
        raise ValueError(f"{name} makes no event")
    return event


@dataclass
class _Clock:
    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        return utc_now() + self.ahead

    def put_on_to(self, at: datetime) -> None:
        self.ahead += max(timedelta(0), at - self.now())


class _Queue(InMemoryWebhookQueue):
    """The queue with its delays."""

    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self.waiting: list[tuple[datetime, int, str]] = []
        self._clock, self._numbers = clock, count()

    def send(self, messages: Sequence[WebhookMessage], delays: Sequence[int] | None = None) -> None:
        """Have messages come when their delays are over."""
        before = len(self.sent)
        super().send(messages, delays)
        for body, delay in self.sent[before:]:
            heapq.heappush(self.waiting, (self._clock.now() + timedelta(seconds=delay), next(self._numbers), body))

    def take(self) -> Received:
        """Return the next message, at its time."""
        at, number, body = heapq.heappop(self.waiting)
        self._clock.put_on_to(at)
        return Received(f"message-{number}", f"receipt-{number}", body, Priority.NORMAL)


@dataclass(frozen=True)
class _ScaledPoster:
    """The poster, with less time for each attempt."""

    scale: float
    real: HttpsPoster = field(default_factory=lambda: HttpsPoster(loopback=True))

    def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Answer:
        """Send a request."""
        return self.real.post(url, headers, body, seconds * self.scale)
