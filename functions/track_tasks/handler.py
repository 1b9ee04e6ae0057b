"""Routes of track_tasks."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from matchcast import bootstrap
from matchcast.domain.prediction import Prediction
from matchcast.domain.task import TaskStatus
from matchcast.http.api import Api, serve
from matchcast.http.envelope import TaskEnvelope, TaskList, accepted, envelope

api = Api()


@api.get("/monitoring/task_status/<task_id>")
def task_status(task_id: str) -> TaskEnvelope:
    """Return a task."""
    return envelope(bootstrap.track_tasks().status(tenant(), task_id))


@api.get("/results/<task_id>")
def task_result(task_id: str) -> Response[Prediction | TaskEnvelope]:
    """Return the prediction alone, or 202 while it is not there."""
    result = bootstrap.track_tasks().result(tenant(), task_id)
    if isinstance(result, Prediction):
        return Response(200, body=result)
    return accepted(result, bootstrap.lane_speed().retry_after(result.priority))


@api.get("/predict/async/")
def list_tasks(
    status: Annotated[TaskStatus | None, Query(description="Only tasks in this state.")] = None,
    match_id: Annotated[str | None, Query(description="Only tasks of this match.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Tasks a page.")] = 50,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
) -> TaskList:
    """Return the tenant's tasks, newest first."""
    owner = tenant()
    bound_to = {"list": "tasks", "tenant": owner, "status": status, "match_id": match_id}
    before = bootstrap.cursors().open(cursor, bound_to) if cursor else None
    page = bootstrap.track_tasks().list(owner, before=before, limit=limit, status=status, match_id=match_id)
    following = bootstrap.cursors().seal(page.next_before, bound_to) if page.next_before else None
    return TaskList(items=[envelope(task) for task in page.tasks], next_cursor=following)


def tenant() -> str:
    """Return whose tasks the caller may see."""
    return api.tenant(bootstrap.tenant_claim())


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP request."""
    return serve(api, event, context)
