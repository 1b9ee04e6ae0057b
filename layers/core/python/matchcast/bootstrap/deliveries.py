"""The workers of events, of deliver_webhooks: from the stream to the queue, from the queue to receivers, the sweep."""

from __future__ import annotations

import time
from functools import cache

from matchcast.adapters.https_poster import HttpsPoster
from matchcast.adapters.stream_records import records_of
from matchcast.bootstrap import webhook_storage
from matchcast.domain.task import utc_now
from matchcast.http.webhook_envelope import event_data
from matchcast.observability import count_delivery, logger
from matchcast.settings import DeliverWebhooksSettings
from matchcast.webhooks.attempt import Attempted
from matchcast.webhooks.deliver import DeliverEvents
from matchcast.webhooks.publish import PublishEvents
from matchcast.webhooks.sweep import SweepDeliveries

__all__ = ["deliver_events", "publish_events", "records_of", "sweep_deliveries"]


@cache
def publish_events() -> PublishEvents:
    """Return what makes events of the stream's records."""
    return PublishEvents(webhook_storage.queue(), event_data)


@cache
def deliver_events() -> DeliverEvents:
    """Return what makes attempts to deliver events."""
    return DeliverEvents(
        deliveries=webhook_storage.deliveries(),
        endpoints=webhook_storage.endpoints(),
        secrets=webhook_storage.secrets(),
        queue=webhook_storage.queue(),
        poster=HttpsPoster(loopback=DeliverWebhooksSettings().loopback_callbacks),
        now=utc_now,
        report=_report,
    )


@cache
def sweep_deliveries() -> SweepDeliveries:
    """Return what sends the messages of attempts that are due."""
    return SweepDeliveries(
        deliveries=webhook_storage.deliveries(), queue=webhook_storage.queue(), now=utc_now, monotonic=time.monotonic
    )


def _report(attempted: Attempted) -> None:
    """Log and count an attempt; of the address, which may hold a client's token, nothing is logged."""
    attempt, event = attempted.attempt, attempted.event
    seconds = (attempt.ended_at - attempt.started_at).total_seconds() if attempt.ended_at else None
    count_delivery(attempted.outcome, seconds)
    logger.info(
        "attempt ended",
        event_id=event.event_id,
        outcome=attempted.outcome,
        attempt=attempt.number,
        series=attempt.series,
        status=attempt.status,
        error=attempt.error,
    )
