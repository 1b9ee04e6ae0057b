"""What a running stack knows and no document can say: the matches of today's snapshot, and a tenant's tasks.

Generated requests are made from the document as it is served. Some of them get one of these values in place of a
generated one, so that they find something.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import urllib3

from matchcast.adapters.dynamodb_batches import DynamoDBBatches
from matchcast.adapters.dynamodb_endpoints import DynamoDBEndpoints
from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.domain.task import TaskError, TaskStatus, utc_now
from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.deployed import Stack
from tests.support.stored_batches import a_batch
from tests.support.tasks import a_prediction, a_task

SHARDS = 4


def gather(api: ApiClient, stack: Stack, tenant: str) -> dict[str, list[str]]:
    """Return values of parameters, by their names, that a stack knows; its document is sent as it is.

    Tasks of the tenant in every state are put into its table, and batches are submitted, cancelled and expired.
    """
    items = api.get("/predict/predictions/", limit=5).expect(200)["items"]
    matches = [item["match_id"] for item in items]
    task = api.post("/predict/async/", {"match_id": matches[0]}).expect(202)
    return {
        "match_id": matches,
        "region": sorted({item["region"] for item in items}),
        "task_id": [task["task_id"], *plant_tasks(stack, tenant, matches[0])],
        "batch_id": [*cancelled_batches(api, matches), *plant_batches(stack, tenant)],
        "secret_id": [api.post("/webhooks/secrets", {}).expect(201)["secret_id"] for _ in range(3)],
        "endpoint_id": plant_endpoints(stack, tenant),
        "input": [upload(api, json.dumps({"match_id": match}).encode()) for match in matches[:2]],
    }


def cancelled_batches(api: ApiClient, matches: list[str]) -> list[str]:
    """Submit batches and cancel them, so that each can be run again once."""
    paths = [api.post("/predict/batch/", {"match_ids": matches}).expect(202)["links"]["status"] for _ in range(5)]
    for path in paths:
        api.request("DELETE", path).expect(200, 409)
    return [path.rpartition("/")[2] for path in paths]


def plant_batches(stack: Stack, tenant: str) -> list[str]:
    """Record batches that no message goes with: one that waits, and expired ones; return their ids."""
    store = DynamoDBBatches(stack.client("dynamodb"), stack.output("TasksTableName"))
    now = utc_now()
    ages = (timedelta(0), timedelta(days=2), timedelta(days=20))
    batches = [a_batch(tenant=tenant, created_at=now - age) for age in ages]
    for batch in batches:
        store.create(batch)
    return [batch.batch_id for batch in batches]


def plant_endpoints(stack: Stack, tenant: str) -> list[str]:
    """Note failures of addresses that nobody calls; return their ids."""
    store = DynamoDBEndpoints(stack.client("dynamodb"), stack.output("WebhooksTableName"))
    return [store.failed(tenant, f"https://client.net/{number}", utc_now()).endpoint_id for number in range(5)]


def upload(api: ApiClient, content: bytes) -> str:
    """Upload JSON Lines, and return what a submission names them by."""
    form = api.post("/predict/batch/uploads", {"format": "jsonl"}).expect(201)
    fields = {**form["fields"], "file": ("rows", content, "application/octet-stream")}
    assert urllib3.request("POST", form["url"], fields=fields, retries=False).status < 300
    return str(form["input"])


def plant_tasks(stack: Stack, tenant: str, match_id: str) -> list[str]:
    """Record tasks that no message goes with, so that the queued ones stay so; return their ids."""
    store = DynamoDBTasks(stack.client("dynamodb"), stack.output("TasksTableName"), SHARDS)
    now = utc_now()
    error = TaskError(code="model-failed", detail="The model gave no usable answer for this input.")
    states: list[dict[str, Any]] = [
        {},
        {},
        {"status": TaskStatus.SUCCEEDED, "result": a_prediction(match_id=match_id), "completed_at": now},
        {"status": TaskStatus.FAILED, "error": error, "attempts": 3, "completed_at": now},
        {"status": TaskStatus.CANCELLED, "completed_at": now},
        {"start_by": now - timedelta(minutes=1)},
        {"created_at": now - timedelta(days=2)},
        {"created_at": now - timedelta(days=20)},
    ]
    tasks = [a_task(**{"tenant": tenant, "match_id": match_id, "created_at": now, **state}) for state in states]
    for task in tasks:
        store.create(task)
    return [task.task_id for task in tasks]
