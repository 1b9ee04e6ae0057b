"""The address of a callback in a submission of a batch."""

from __future__ import annotations

import pytest

from matchcast.adapters.in_memory import InMemoryTasks
from matchcast.domain.webhook import SecretRecord
from tests.support.http_events import Answer
from tests.support.managed_batches import MATCH, ManagedBatches
from tests.support.managed_webhooks import ManagedWebhooks
from tests.support.tasks import NOW

URL = "https://client.net/hook"


@pytest.fixture
def webhooks(service: ManagedBatches, monkeypatch: pytest.MonkeyPatch) -> ManagedWebhooks:
    made = ManagedWebhooks(monkeypatch.setattr, InMemoryTasks(), service.flow.records, lambda: NOW)
    made.secrets.add("north", SecretRecord(secret_id="s", created_at=NOW), b"x" * 32)
    return made


def submit(service: ManagedBatches, url: str, tenant: str = "north") -> Answer:
    body = {"match_ids": [MATCH], "callback_url": url}
    return service.ask("POST", "/predict/batch/", body, tenant, headers={"Idempotency-Key": "k"})


def test_a_batch_keeps_the_address_in_its_request_too(service: ManagedBatches, webhooks: ManagedWebhooks) -> None:
    # WHEN
    answer = submit(service, URL)
    # THEN
    batch_id = answer.json["batch_id"]
    assert (answer.status, service.flow.records.get_many([batch_id])[batch_id].callback_url) == (202, URL)
    assert URL not in answer.body.decode()
    # AND a repeated request is the same batch, though the secret has ended, and another address another request
    webhooks.secrets.end("north", "s", NOW)
    assert submit(service, URL).json["batch_id"] == batch_id
    assert submit(service, f"{URL}/other").json["type"].endswith(":idempotency-key-reused")


@pytest.mark.usefixtures("webhooks")
def test_what_cannot_be_called_back_leaves_nothing(service: ManagedBatches) -> None:
    # WHEN
    inside, unsigned = submit(service, "https://192.168.0.1/hook"), submit(service, URL, tenant="south")
    # THEN
    assert (inside.status, inside.json["errors"][0]["pointer"]) == (422, "/callback_url")
    assert (unsigned.status, unsigned.json["type"].rpartition(":")[2]) == (409, "webhook-secret-missing")
    assert service.flow.queue.messages == []
