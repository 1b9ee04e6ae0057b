"""Callbacks in simulated time: the stream, the queue with its delays, the sweep every five minutes, and a receiver."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from matchcast.adapters.in_memory_webhooks import (
    InMemoryDeliveries,
    InMemoryEndpoints,
    InMemorySecrets,
)
from matchcast.domain.batch import Batch
from matchcast.domain.task import Task, TaskStatus
from matchcast.domain.webhook import Delivery, DeliveryState, Event, SecretRecord
from matchcast.errors import Transient
from matchcast.webhook_messages import NewEvent
from matchcast.webhooks.attempt import Attempted
from matchcast.webhooks.deliver import DeliverEvents, Outcome
from matchcast.webhooks.events import event_of
from matchcast.webhooks.ports import (
    DeliveryStore,
    EndpointStore,
    Poster,
    SecretStore,
    StreamRecord,
    WebhookQueue,
)
from matchcast.webhooks.publish import PublishEvents
from matchcast.webhooks.sweep import SweepDeliveries
from tests.support.simulated_webhooks import Receiver, SimulatedQueue
from tests.support.tasks import NOW, a_task
from tests.support.trapped_ports import Killed, Trapped

URL = "https://client.example/hook"
SWEEP_EVERY = timedelta(minutes=5)


def render(subject: Task | Batch) -> dict[str, Any]:
    return {"status": subject.status.value, "generation": subject.generation}


def an_ended_task(**changes: Any) -> Task:
    """Return a task with a callback that has succeeded."""
    ended = {"status": TaskStatus.SUCCEEDED, "completed_at": NOW, "callback_url": URL}
    return a_task(**{**ended, **changes})


def an_event(**changes: Any) -> Event:
    """Return the event of such a task."""
    event = event_of(an_ended_task(**changes), render)
    assert event is not None
    return event


def no_jitter(low: float, high: float) -> float:
    return low


class World:
    """Everything between a stream record and a receiver; `ports` may be put before the real ones."""

    def __init__(self, uniform: Callable[[float, float], float] = no_jitter) -> None:
        self.clock = NOW
        self.deliveries: DeliveryStore = InMemoryDeliveries()
        self.endpoints: EndpointStore = InMemoryEndpoints()
        self.secrets: SecretStore = InMemorySecrets()
        self.simulated = SimulatedQueue(self.now)
        self.queue: WebhookQueue = self.simulated
        self.receiver = Receiver(self.now)
        self.poster: Poster = self.receiver
        self.uniform = uniform
        self.reports: list[Attempted] = []
        self.outcomes: list[Outcome] = []
        self.next_sweep = NOW + SWEEP_EVERY
        self.oldest_seconds: list[float] = []
        self.secrets.add("north", SecretRecord(secret_id="first", created_at=NOW), b"k" * 32)

    def now(self) -> datetime:
        return self.clock

    @property
    def worker(self) -> DeliverEvents:
        return DeliverEvents(
            deliveries=self.deliveries,
            endpoints=self.endpoints,
            secrets=self.secrets,
            queue=self.queue,
            poster=self.poster,
            now=self.now,
            uniform=self.uniform,
            report=self.reports.append,
        )

    @property
    def publisher(self) -> PublishEvents:
        return PublishEvents(self.queue, render)

    def submit(self, *events: Event) -> None:
        """Send events to the queue."""
        self.queue.send([NewEvent(event=event) for event in events])

    def delivery(self, event: Event) -> Delivery:
        found = self.deliveries.get(event.event_id)
        assert found is not None
        return found

    def run(self, *, until: timedelta = timedelta(days=8)) -> None:
        """Let time pass until nothing is under way any more; fail if something still is after `until`."""
        while self.step():
            assert self.clock - NOW < until, "there is still something under way"

    def run_for(self, span: timedelta) -> None:
        """Let some time pass."""
        end = self.clock + span
        while self._next_at() <= end and self.step():
            pass
        self.clock = end

    def step(self) -> bool:
        """Do what comes next; False if nothing is under way."""
        if not self.simulated.waiting and not self._pending():
            return False
        self.clock = max(self.clock, self._next_at())
        if self.simulated.waiting and self.simulated.waiting[0][0] <= self.clock:
            self.receive()
        else:
            self.sweep()
        return True

    def receive(self) -> None:
        """Work on the messages that are visible; those that are not deleted come again."""
        taken = self.simulated.take()
        kept = taken
        try:
            outcomes = self.worker.deliver(taken)
            self.outcomes += outcomes
            kept = [each for each, outcome in zip(taken, outcomes, strict=True) if not outcome.done]
        except Killed:
            pass
        for received in kept:
            self.simulated.keep(received)

    def sweep(self) -> None:
        """Run the sweep of this moment."""
        self.next_sweep = self.clock + SWEEP_EVERY
        sweep = SweepDeliveries(self.deliveries, self.queue, self.now, lambda: 0.0)
        with suppress(Killed, Transient, RuntimeError):  # the next sweep goes on
            self.oldest_seconds.append(sweep.sweep().oldest_seconds)

    def publish(self, *subjects: Task | Batch) -> None:
        """Have the stream's records published, as often as that takes."""
        records = [StreamRecord(f"{number:05d}", "", subject) for number, subject in enumerate(subjects)]
        while records:
            try:
                again = self.publisher.publish(records)
            except Killed:
                continue
            records = [each for each in records if again is not None and each.sequence_number >= again]

    def _next_at(self) -> datetime:
        """Return when something happens next; sweeps that would find nothing are left out."""
        look_at = min(self._stored._look_at.values(), default=self.next_sweep)
        if look_at > self.next_sweep:
            self.next_sweep += ceil((look_at - self.next_sweep) / SWEEP_EVERY) * SWEEP_EVERY
        return min([self.next_sweep, *(at for at, *_ in self.simulated.waiting[:1])])

    def _pending(self) -> bool:
        return any(each.state is DeliveryState.PENDING for each in self._stored._deliveries.values())

    @property
    def _stored(self) -> InMemoryDeliveries:
        stored = self.deliveries.real if isinstance(self.deliveries, Trapped) else self.deliveries
        assert isinstance(stored, InMemoryDeliveries)
        return stored
