"""Where callbacks are kept: deliveries, endpoints and secrets in the table of webhooks, and the queue of events."""

from __future__ import annotations

from functools import cache

from matchcast.adapters.dynamodb_deliveries import DynamoDBDeliveries
from matchcast.adapters.dynamodb_endpoints import DynamoDBEndpoints
from matchcast.adapters.kms_secrets import KMSSecrets
from matchcast.adapters.sqs_webhooks import SQSWebhooks
from matchcast.bootstrap import parts, table
from matchcast.settings import WebhooksSettings


@cache
def deliveries() -> DynamoDBDeliveries:
    """Return the records of deliveries."""
    return DynamoDBDeliveries(table.dynamodb(), WebhooksSettings().webhooks_table_name)


@cache
def endpoints() -> DynamoDBEndpoints:
    """Return how the addresses of callbacks have answered."""
    return DynamoDBEndpoints(table.dynamodb(), WebhooksSettings().webhooks_table_name)


@cache
def secrets() -> KMSSecrets:
    """Return the signing secrets."""
    settings = WebhooksSettings()
    return KMSSecrets(
        table.dynamodb(), settings.webhooks_table_name, parts.client("kms"), settings.webhook_secrets_key_id
    )


@cache
def queue() -> SQSWebhooks:
    """Return where messages of events go."""
    settings = WebhooksSettings()
    return SQSWebhooks(parts.client("sqs"), settings.webhooks_queue_url, settings.webhooks_dead_letter_queue_url)
