"""The routes of callbacks, with requests that they take."""

from __future__ import annotations

from matchcast.adapters.in_memory_webhooks import InMemoryEndpoints
from tests.fuzz.batches import BATCH_IDS
from tests.fuzz.routes import Route
from tests.fuzz.world import CALLBACK, TASK_IDS, TENANT
from tests.support.tasks import NOW

WEBHOOKS = "manage_webhooks"
ENDPOINT_ID = InMemoryEndpoints().failed(TENANT, CALLBACK, NOW).endpoint_id
SINCE, UNTIL = "2026-03-01T11:00:00Z", "2026-03-01T12:00:00+00:00"
CALLBACK_ROUTES = [
    *(Route(WEBHOOKS, "GET", f"/predict/async/{each}/deliveries", {}) for each in TASK_IDS[2:]),
    *(Route(WEBHOOKS, "GET", f"/predict/batch/{each}/deliveries", {}) for each in BATCH_IDS[:2]),
    Route(WEBHOOKS, "GET", "/webhooks/secrets", {}),
    Route(WEBHOOKS, "POST", "/webhooks/secrets", {}, ({}, {"retire_others_in": 60})),
    Route(WEBHOOKS, "DELETE", f"/webhooks/secrets/{TASK_IDS[0]}", {}),
    Route(
        WEBHOOKS,
        "POST",
        "/webhooks/replay",
        {},
        (
            {"task_id": TASK_IDS[2]},
            {"batch_id": BATCH_IDS[2]},
            {"since": SINCE},
            {"since": SINCE, "until": UNTIL, "task_id": None},
        ),
    ),
    Route(WEBHOOKS, "GET", "/webhooks/endpoints", {}),
    Route(WEBHOOKS, "POST", f"/webhooks/endpoints/{ENDPOINT_ID}/enable", {}),
]
