from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from functions.manage_webhooks.handler import lambda_handler
from matchcast.adapters.in_memory import InMemoryTasks
from tests.support.batches import InMemoryBatches
from tests.support.documented import ask
from tests.support.http_events import Answer
from tests.support.managed_webhooks import ManagedWebhooks


@dataclass
class Desk:
    """The real handler over stores in memory; every answer is held against the document."""

    tasks: InMemoryTasks
    batches: InMemoryBatches
    webhooks: ManagedWebhooks

    def ask(self, method: str, path: str, body: Any = None, tenant: str = "north") -> Answer:
        """Send a request as a tenant."""
        return ask(lambda_handler, method, path, body=body, tenant=tenant)

    def secrets(self, tenant: str = "north") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", "/webhooks/secrets", tenant=tenant).json["secrets"]
        return found


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    tasks, batches = InMemoryTasks(), InMemoryBatches()
    return Desk(tasks, batches, ManagedWebhooks(monkeypatch.setattr, tasks, batches))
