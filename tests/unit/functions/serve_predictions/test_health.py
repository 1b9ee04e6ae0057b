from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from functions.serve_predictions.schemas import HealthReport
from matchcast.domain.manifests import SNAPSHOT_MANIFEST_KEY
from matchcast.errors import StorageUnavailable
from tests.support.http_events import Answer
from tests.support.serving import Service
from tests.support.snapshots import MODEL, SNAPSHOT_ID, put_snapshot, snapshot_files

if TYPE_CHECKING:
    import pytest

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
            "newest_result": None,
            "results_age_seconds": None,
            "results_stale": False,
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


def test_a_new_snapshot_of_old_results_degrades_the_health(empty: Service, get: Get) -> None:
    # GIVEN a snapshot of five minutes, whose newest result was thirty days ago
    newest = empty.now.date() - timedelta(days=30)
    put_snapshot(empty.objects, newest_result=newest)
    empty.restart(snapshot_stale_seconds=1e9, results_stale_seconds=31 * 86_400)
    # THEN its results are new enough
    fresh = get("/health").json
    assert (fresh["status"], fresh["snapshot"]["results_stale"]) == ("ok", False)

    # WHEN no match is played for two more days
    empty.later(2 * 86_400)
    # THEN the snapshot says so, and not that it is old itself
    old = get("/health").json
    assert (old["status"], old["snapshot"]["results_stale"], old["snapshot"]["stale"]) == ("degraded", True, False)
    assert old["snapshot"]["newest_result"] == newest.isoformat()
    assert old["snapshot"]["results_age_seconds"] > 31 * 86_400


def test_without_a_snapshot_that_can_be_read_the_function_is_unavailable(empty: Service, get: Get) -> None:
    # GIVEN
    empty.objects.put(SNAPSHOT_MANIFEST_KEY, b"{")
    # WHEN
    found = get("/health")
    # THEN nothing is said to be served
    assert (found.status, found.json["status"], found.json["model"]) == (503, "unavailable", None)
    problem = found.json["snapshot"]["problem"]
    assert problem["code"] == "manifest-invalid"
    assert "served" not in problem["detail"]
    HealthReport.model_validate(found.json, extra="forbid")


def test_where_nothing_was_published_the_health_says_so_and_who_can_change_it(empty: Service, get: Get) -> None:
    # WHEN it is asked twice: the second time nothing is new
    for _ in range(2):
        found = get("/health")
        # THEN
        assert (found.status, found.json["status"], found.json["snapshot"]["id"]) == (503, "unavailable", None)
        problem = found.json["snapshot"]["problem"]
        assert problem["code"] == "snapshot-not-published"
        assert "`matchcast publish`" in problem["detail"]
        HealthReport.model_validate(found.json, extra="forbid")


def test_a_first_snapshot_makes_the_health_good_at_once(empty: Service, get: Get) -> None:
    assert get("/health").status == 503
    put_snapshot(empty.objects)
    assert get("/health").json["status"] == "ok"


def test_a_bucket_that_does_not_answer_is_not_one_where_nothing_was_published(
    empty: Service, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StorageUnavailable("The data bucket did not answer.")

    monkeypatch.setattr(empty.objects, "get", away)
    assert get("/health").json["snapshot"]["problem"]["code"] == "storage-unavailable"
