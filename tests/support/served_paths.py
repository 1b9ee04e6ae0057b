"""The paths that `serve_predictions` answers out of a snapshot, and the problems that it answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.serve_predictions.schemas import (
    CardPage,
    OddsPage,
    PrecomputedPrediction,
    PredictionPage,
    RegionRoiPage,
    SnapshotScorecard,
)
from tests.support.http_events import Answer

if TYPE_CHECKING:
    from pydantic import BaseModel

MATCH = "e0-2026-03-07-alder-birch"
LISTS = ["predictions", "cards", "odds"]
PAGES: dict[str, type[BaseModel]] = {
    "/predict/predictions/": PredictionPage,
    "/predict/cards/": CardPage,
    "/predict/odds/": OddsPage,
    "/predict/region-roi/": RegionRoiPage,
    "/predict/model/scorecard": SnapshotScorecard,
    f"/predict/precomputed/{MATCH}": PrecomputedPrediction,
}


def problem(found: Answer, status: int, code: str) -> dict[str, Any]:
    """Return the body of an answer that is this problem."""
    assert found.headers["content-type"] == "application/problem+json"
    assert (found.status, found.json["type"]) == (status, f"urn:matchcast:problem:{code}")
    body: dict[str, Any] = found.json
    return body
