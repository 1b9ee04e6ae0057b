"""Which requests ask for predictions, and how: what `prediction_requests_total` counts as their `source`."""

from __future__ import annotations

from collections.abc import Mapping

from matchcast.http.prefer import parse_prefer

SOURCES: Mapping[tuple[str, str], str] = {
    ("GET", "/predict/cards/"): "precomputed",
    ("GET", "/predict/model/scorecard"): "precomputed",
    ("GET", "/predict/odds/"): "precomputed",
    ("GET", "/predict/precomputed/{match_id}"): "precomputed",
    ("GET", "/predict/predictions/"): "precomputed",
    ("GET", "/predict/region-roi/"): "precomputed",
    ("GET", "/predict/{match_id}"): "sync",
    ("POST", "/predict/"): "sync",
    ("POST", "/predict/async/"): "async",
    ("POST", "/predict/async/{task_id}/retry"): "async",
    ("POST", "/predict/batch/"): "batch",
    ("POST", "/predict/batch/{batch_id}/retry-failed"): "batch",
}
"""By method and path; a `sync` request that prefers a task is `async`."""


def source_of(method: str, path: str, headers: Mapping[str, str]) -> str | None:
    """Return how a request to a route asks for predictions; None if it asks for something else."""
    source = SOURCES.get((method, path))
    if source == "sync" and parse_prefer(headers.get("prefer")).respond_async:
        return "async"
    return source
