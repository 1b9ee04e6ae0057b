"""What the API does with callbacks: secrets, endpoints, deliveries and replays."""

from __future__ import annotations

from functools import cache

from matchcast.adapters.dynamodb_batches import DynamoDBBatches
from matchcast.bootstrap import table, webhook_storage
from matchcast.domain.task import utc_now
from matchcast.http.webhook_envelope import event_data
from matchcast.settings import TaskSettings
from matchcast.webhooks.replay import ReplayEvents
from matchcast.webhooks.secrets import ManageSecrets
from matchcast.webhooks.track import TrackDeliveries


@cache
def manage_secrets() -> ManageSecrets:
    """Return what makes and ends signing secrets."""
    return ManageSecrets(webhook_storage.secrets(), utc_now)


@cache
def track_deliveries() -> TrackDeliveries:
    """Return what reads deliveries, and reads and enables endpoints."""
    return TrackDeliveries(
        deliveries=webhook_storage.deliveries(),
        endpoints=webhook_storage.endpoints(),
        tasks=table.tasks(),
        batches=_batches(),
        now=utc_now,
    )


@cache
def replay_events() -> ReplayEvents:
    """Return what delivers events once more."""
    return ReplayEvents(
        deliveries=webhook_storage.deliveries(),
        queue=webhook_storage.queue(),
        tasks=table.tasks(),
        batches=_batches(),
        render=event_data,
        now=utc_now,
    )


@cache
def _batches() -> DynamoDBBatches:
    return DynamoDBBatches(table.dynamodb(), TaskSettings().tasks_table_name)
