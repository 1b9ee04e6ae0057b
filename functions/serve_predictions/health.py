"""The health answer: what this environment serves, from its memory."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.serve_predictions.schemas import HealthProblem, HealthReport, SnapshotHealth
from matchcast.bootstrap import snapshots
from matchcast.snapshots.serve import Health, HealthStatus

_BODY = {"application/json": {"model": HealthReport}}
health_answers: dict[int, Any] = {
    200: {"description": "Requests are answered; `degraded`: out of an old snapshot.", "content": _BODY},
    503: {"description": "There is no snapshot to answer from.", "content": _BODY},
}


def health_answer() -> Response[Any]:
    """Return 200 while anything can be served, else 503."""
    health = snapshots.serve_snapshot().health()
    status = 503 if health.status is HealthStatus.UNAVAILABLE else 200
    body = report(health).model_dump_json()
    return Response(status, content_type="application/json", body=body, headers={"Cache-Control": "no-store"})


def report(health: Health) -> HealthReport:
    """Return what clients see of the health; nothing internal."""
    manifest, problem = health.manifest, health.problem
    return HealthReport(
        status=health.status,
        snapshot=SnapshotHealth(
            id=manifest.snapshot_id if manifest else None,
            as_of=manifest.as_of if manifest else None,
            created_at=manifest.created_at if manifest else None,
            age_seconds=health.age_seconds,
            stale=health.stale,
            problem=HealthProblem(code=problem.code, detail=problem.public_detail) if problem else None,
        ),
        model=manifest.model if manifest else None,
    )
