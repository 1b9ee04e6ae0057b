"""The paths of the whole API with their methods, so that every function can tell a 405 from a 404.

A function is also asked for paths below its own (`/predict/{proxy+}`), some of which are another function's.
A test compares this table with the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Mapping

PATHS: Mapping[str, tuple[str, ...]] = {
    "/docs": ("GET",),
    "/health": ("GET",),
    "/monitoring/task_status/{task_id}": ("GET",),
    "/openapi.json": ("GET",),
    "/predict/": ("POST",),
    "/predict/async/": ("GET", "POST"),
    "/predict/async/{task_id}": ("DELETE",),
    "/predict/async/{task_id}/retry": ("POST",),
    "/predict/cards/": ("GET",),
    "/predict/model/info": ("GET",),
    "/predict/model/scorecard": ("GET",),
    "/predict/odds/": ("GET",),
    "/predict/precomputed/{match_id}": ("GET",),
    "/predict/predictions/": ("GET",),
    "/predict/region-roi/": ("GET",),
    "/predict/{match_id}": ("GET",),
    "/results/{task_id}": ("GET",),
}
