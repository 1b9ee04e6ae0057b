"""What a request adds to `prediction_requests_total`: one record if it asks for predictions, and none if not."""

from __future__ import annotations

import importlib
import json
from functools import cache
from typing import Any

from matchcast.http.api import Api
from matchcast.http.events import complete
from matchcast.http.prefer import parse_prefer
from tests.fuzz.cases import Case
from tests.fuzz.world import World
from tests.support.http_events import Answer

PRECOMPUTED = {"/predict/region-roi/", "/predict/model/scorecard", "/predict/precomputed/{match_id}"}
PRECOMPUTED |= {f"/predict/{name}/" for name in ("predictions", "cards", "odds")}
NOW = {("GET", "/predict/{match_id}"), ("POST", "/predict/")}
LATER = {("POST", "/predict/async/"), ("POST", "/predict/async/{task_id}/retry")}
BATCHES = {("POST", "/predict/batch/"), ("POST", "/predict/batch/{batch_id}/retry-failed")}
OUTCOMES = {4: {"rejected"}, 5: {"failed", "abandoned"}}
SUCCESS = {"succeeded", "replayed"}


def wrong_count(world: World, case: Case, found: Answer) -> str | None:
    """Return what is wrong with what was counted; who ends a new task counts it, so its message stands for a record."""
    lines = [json.loads(line) for line in world.metrics if "prediction_requests_total" in line]
    counted = [(line["source"], line["stage"], line["outcome"]) for line in lines]
    source = asks(case)
    tasks = len(world.lanes.sent) + world.batches.begun
    if len(counted) + tasks != (0 if source is None else 1):
        return f"it was counted as {counted} and made {tasks} tasks"
    for counted_source, stage, outcome in counted:
        if counted_source != source or stage not in {"champion", "unknown"}:
            return f"it was counted as of {counted_source} and {stage}"
        if outcome not in OUTCOMES.get(found.status // 100, SUCCESS):
            return f"it was answered {found.status} and counted as {outcome}"
    return None


def asks(case: Case) -> str | None:
    """Return how a case asks for predictions, if it does."""
    event = complete(case.event)
    method = event["requestContext"]["http"]["method"]
    is_head = method == "HEAD"
    method = "GET" if is_head else method
    route = next((r for r in routes(case.handler) if r.method == method and r.rule.match(event["rawPath"])), None)
    if route is None:
        return None
    asked = (method, route.openapi_path)
    if asked in NOW:
        return "async" if not is_head and parse_prefer(event["headers"].get("prefer")).respond_async else "sync"
    if asked in LATER:
        return "async"
    if asked in BATCHES:
        return "batch"
    return "precomputed" if method == "GET" and route.openapi_path in PRECOMPUTED else None


@cache
def routes(handler: str) -> list[Any]:
    """Return the routes of a function, in the order in which they are tried."""
    api: Api = importlib.import_module(f"functions.{handler}.handler").api
    return api.routes
