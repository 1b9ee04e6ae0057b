"""What clients manage of callbacks, over stores in memory: for manage_webhooks, and for whoever accepts callbacks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from matchcast.adapters.in_memory_webhooks import (
    InMemoryDeliveries,
    InMemoryEndpoints,
    InMemorySecrets,
    InMemoryWebhookQueue,
)
from matchcast.batches.ports import BatchStore
from matchcast.domain.webhook import Attempt, Delivery, DeliveryState, Event
from matchcast.http.webhook_envelope import event_data
from matchcast.ports import TaskStore
from matchcast.webhooks.callbacks import CheckCallback
from matchcast.webhooks.events import event_of
from matchcast.webhooks.replay import ReplayEvents
from matchcast.webhooks.secrets import ManageSecrets
from matchcast.webhooks.track import TrackDeliveries
from tests.support.parts import put
from tests.support.tasks import NOW


class ManagedWebhooks:
    """The use cases of callbacks, in place of those of the composition root."""

    def __init__(
        self,
        patch: Callable[[Any, str, Any], object],
        tasks: TaskStore,
        batches: BatchStore,
        now: Callable[[], datetime] = lambda: NOW,
    ) -> None:
        self.deliveries, self.endpoints = InMemoryDeliveries(), InMemoryEndpoints()
        self.secrets, self.queue = InMemorySecrets(), InMemoryWebhookQueue()
        self.now = now
        manage = ManageSecrets(self.secrets, now)
        replay = ReplayEvents(
            deliveries=self.deliveries, queue=self.queue, tasks=tasks, batches=batches, render=event_data, now=now
        )
        track = TrackDeliveries(self.deliveries, self.endpoints, tasks, batches, now)
        made = {
            "webhooks.manage_secrets": manage,
            "webhooks.replay_events": replay,
            "webhooks.track_deliveries": track,
            "callbacks.check_callback": CheckCallback(self.secrets, now, loopback=False),
        }
        put(patch, made)

    def forget(self) -> None:
        """Leave the stores as they were at first."""
        for store in (self.deliveries, self.endpoints, self.secrets, self.queue):
            vars(store).update(vars(type(store)()))

    def record(self, subject: Any) -> Event:
        """Record the event of a task or batch as it is before its first attempt."""
        event = event_of(subject, event_data)
        assert event is not None
        self.deliveries.create(event, self.now())
        return event

    def stop(self, event: Event) -> None:
        """Have the receiver answer the first attempt with 410."""
        attempt = Attempt(number=1, series=0, started_at=self.now())
        self.deliveries.claim(self._delivery(event), attempt, self.now())
        ended = attempt.model_copy(update={"ended_at": self.now(), "status": 410})
        self.deliveries.end(self._delivery(event), ended, DeliveryState.STOPPED, None, None)

    def _delivery(self, event: Event) -> Delivery:
        found = self.deliveries.get(event.event_id)
        assert found is not None
        return found
