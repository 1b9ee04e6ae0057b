"""The OpenAPI document, narrowed by what a running stack knows, so that generated requests find something.

A document cannot name the matches of today's snapshot or a tenant's tasks. With them in it, requests that the
document allows get real predictions and tasks, and a refusal is a fault. The features of today's model it has.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.domain.task import TaskError, TaskStatus, utc_now
from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.deployed import Stack
from tests.support.tasks import a_prediction, a_task

SHARDS = 4
SUBMISSIONS = ("MatchSubmission", "FeaturesSubmission")


@dataclass(frozen=True)
class Facts:
    """What a stack knows and its document cannot say."""

    matches: list[str]
    regions: list[str]
    tasks: list[str]
    """One or more in every state that a task can be in, the expired and forgotten ones among them."""
    lifetime: int
    """The longest `start_within` in seconds."""


def gather(api: ApiClient, stack: Stack, tenant: str) -> Facts:
    """Ask a stack for its matches, regions and model, and put tasks of the tenant in every state into its table."""
    items = api.get("/predict/predictions/", limit=5).expect(200)["items"]
    matches = [item["match_id"] for item in items]
    task = api.post("/predict/async/", {"match_id": matches[0]}).expect(202)
    begun, ended = (datetime.fromisoformat(task[name]) for name in ("created_at", "expires_at"))
    return Facts(
        matches=matches,
        regions=sorted({item["region"] for item in items}),
        tasks=[task["task_id"], *plant_tasks(stack, tenant, matches[0])],
        lifetime=int((ended - begun).total_seconds()),
    )


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


def narrowed(document: dict[str, Any], facts: Facts) -> dict[str, Any]:
    """Return a copy of the document with the facts in its requests; what it says of answers stays."""
    found = copy.deepcopy(document)
    known = {"match_id": facts.matches, "task_id": facts.tasks, "region": facts.regions}
    for methods in found["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                if parameter["name"] in known:
                    parameter["schema"] = _some_of(known[parameter["name"]], parameter["schema"])
    of_match, of_features = (found["components"]["schemas"][name]["properties"] for name in SUBMISSIONS)
    of_match["match_id"] = _some_of(facts.matches, of_match["match_id"])
    for kind in [*of_match["start_within"]["anyOf"], *of_features["start_within"]["anyOf"]]:
        if kind["type"] == "integer":
            kind["maximum"] = facts.lifetime
    return found


def _some_of(known: list[str], schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"enum": known}, schema]}
