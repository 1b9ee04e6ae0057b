"""The routes of callbacks as their function answers them, over ports in memory, for a client in the same process."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from functions.manage_webhooks import handler
from matchcast.adapters.in_memory import InMemoryTasks
from matchcast.adapters.in_memory_webhooks import (
    InMemoryDeliveries,
    InMemoryEndpoints,
    InMemorySecrets,
    InMemoryWebhookQueue,
)
from matchcast.bootstrap import webhooks
from matchcast.domain.task import utc_now
from matchcast.http.webhook_envelope import event_data
from matchcast.webhooks.replay import ReplayEvents
from matchcast.webhooks.secrets import ManageSecrets
from matchcast.webhooks.track import TrackDeliveries
from matchcast_tools.stack.api_client import Answer, ApiClient
from tests.support.http_events import ask
from tests.support.stored_batches import StoredBatches

if TYPE_CHECKING:
    import pytest


class WebhookApi(ApiClient):
    """Calls `manage_webhooks` in this process."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        super().__init__("http://nowhere.invalid")
        self.deliveries, self.endpoints = InMemoryDeliveries(), InMemoryEndpoints()
        self.secrets, self.queue = InMemorySecrets(), InMemoryWebhookQueue()
        self.tasks, self.batches = InMemoryTasks(), StoredBatches()
        managing = ManageSecrets(self.secrets, utc_now)
        tracking = TrackDeliveries(self.deliveries, self.endpoints, self.tasks, self.batches, utc_now)
        replaying = ReplayEvents(
            deliveries=self.deliveries,
            queue=self.queue,
            tasks=self.tasks,
            batches=self.batches,
            render=event_data,
            now=utc_now,
        )
        patch.setattr(webhooks, "manage_secrets", lambda: managing)
        patch.setattr(webhooks, "track_deliveries", lambda: tracking)
        patch.setattr(webhooks, "replay_events", lambda: replaying)

    def _send(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        parts = urlsplit(path)
        request: dict[str, Any] = {"query": dict(parse_qsl(parts.query)), "body": body, "headers": headers}
        # What the function logs belongs to its log, and not to what a command prints.
        with redirect_stdout(io.StringIO()):
            answer = ask(handler.lambda_handler, method, parts.path, **request)
        return Answer(answer.status, answer.headers, answer.body)
