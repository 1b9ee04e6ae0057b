from __future__ import annotations

from collections.abc import Callable

from functions.serve_predictions.schemas import HealthReport
from tests.support.http_events import Answer
from tests.support.serving import Service
from tests.support.snapshots import MODEL, SNAPSHOT_ID, put_snapshot, snapshot_files

Get = Callable[..., Answer]


def test_health_says_what_is_served_and_needs_no_token(service: Service, get: Get) -> None:
    # WHEN
    found = get("/health", claims={})
    # THEN
    assert found.status == 200
    assert found.headers["cache-control"] == "no-store"
    assert found.json == {
        "status": "ok",
        "snapshot": {
            "id": SNAPSHOT_ID,
            "as_of": "2026-02-27T12:00:00Z",
            "created_at": "2026-03-01T12:00:00Z",
            "age_seconds": 300.0,
            "stale": False,
            "problem": None,
        },
        "model": MODEL.model_dump(),
    }
    HealthReport.model_validate(found.json, extra="forbid")


def test_a_refused_snapshot_degrades_the_health_and_is_named_without_internals(service: Service, get: Get) -> None:
    assert get("/health").json["status"] == "ok"
    put_snapshot(service.objects, {**snapshot_files(), "odds.parquet": b"x"}, snapshot_id="20260302T000000Z-ffffffff")
    service.later()
    found = get("/health")
    assert (found.status, found.json["status"]) == (200, "degraded")
    assert found.json["snapshot"]["id"] == SNAPSHOT_ID
    assert found.json["snapshot"]["problem"]["code"] == "manifest-invalid"
    assert b"parquet" not in found.body


def test_an_old_snapshot_degrades_the_health(service: Service, get: Get) -> None:
    service.later(86_400)
    found = get("/health/")
    assert (found.status, found.json["status"], found.json["snapshot"]["stale"]) == (200, "degraded", True)


def test_without_a_snapshot_the_function_is_unavailable(empty: Service, get: Get) -> None:
    found = get("/health")
    assert (found.status, found.json["status"], found.json["model"]) == (503, "unavailable", None)
    assert found.json["snapshot"]["problem"]["code"] == "manifest-invalid"
    HealthReport.model_validate(found.json, extra="forbid")
