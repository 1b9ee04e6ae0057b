"""Replays of a time range, a page at a time; each page sends the message of the next one.

A message that comes twice, or again after half a page, starts no second series for an event,
unless the first one found the endpoint disabled.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from matchcast.domain.webhook import Delivery, DeliveryState
from matchcast.errors import MatchcastError, Transient
from matchcast.tasks.isolation import faults_named
from matchcast.webhook_messages import NextAttempt, ReplayRange
from matchcast.webhooks.attempt import next_attempt
from matchcast.webhooks.ports import DeliveryStore, WebhookQueue
from matchcast.webhooks.schedule import GRACE

_EVENTS_A_PAGE = 100


def begin_series(deliveries: DeliveryStore, delivery: Delivery, now: datetime) -> NextAttempt | None:
    """Begin the next series of a delivery and return its first message; None: another replay has begun one.

    Where a series has begun and nothing was tried yet, only its message is made again.
    """
    if delivery.state is DeliveryState.PENDING and delivery.tried == 0:
        return next_attempt(delivery, now)
    if not deliveries.replay(delivery, now, now + GRACE):
        return None
    return next_attempt(delivery.model_copy(update={"series": delivery.series + 1, "tried": 0}), now)


class ReplayPages:
    """Replays the events of a range."""

    def __init__(self, deliveries: DeliveryStore, queue: WebhookQueue, now: Callable[[], datetime]) -> None:
        self._deliveries = deliveries
        self._queue = queue
        self._now = now

    def replay_page(self, wanted: ReplayRange) -> None:
        """Replay a page, then send the message of the next one."""
        event_ids, cursor = self._deliveries.between(
            wanted.tenant, wanted.since, wanted.until, wanted.cursor, _EVENTS_A_PAGE
        )
        messages = [message for event_id in event_ids if (message := self._begun(wanted, event_id))]
        if messages:
            self._queue.send(messages)
        if cursor is not None:
            self._queue.send([wanted.model_copy(update={"cursor": cursor})])

    def _begun(self, wanted: ReplayRange, event_id: str) -> NextAttempt | None:
        """Begin the next series of an event; one whose record cannot be read or written becomes a letter."""
        try:
            with faults_named():
                return self._replayed(wanted, event_id)
        except Transient:
            raise
        except MatchcastError as error:
            self._queue.bury(event_id, error.code)
            return None

    def _replayed(self, wanted: ReplayRange, event_id: str) -> NextAttempt | None:
        delivery = self._deliveries.get(event_id)
        if delivery is None or delivery.event.tenant != wanted.tenant:
            return None
        first = next((each for each in delivery.attempts if (each.series, each.number) == (delivery.series, 1)), None)
        # Clocks differ: a series that found its endpoint disabled may be older than the request. It sent nothing.
        is_disabled = delivery.state is DeliveryState.DISABLED
        if first is not None and first.started_at >= wanted.requested_at and not is_disabled:
            return None
        return begin_series(self._deliveries, delivery, self._now())
