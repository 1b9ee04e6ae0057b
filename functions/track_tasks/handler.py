"""Routes of track_tasks."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from matchcast.bootstrap import http, parts, table, tasks
from matchcast.domain.prediction import Prediction
from matchcast.domain.task import TaskStatus
from matchcast.http.api import Api, serve
from matchcast.http.contract import READ, WRITE, answers
from matchcast.http.cursors import CURSOR_PATTERN, MAX_CURSOR_LENGTH
from matchcast.http.envelope import TaskEnvelope, TaskList, accepted, envelope
from matchcast.http.idempotency import Key, idempotency_key

api = Api()
RESULT_ANSWERS = answers(200, model=Prediction) | answers(202, 404, 409, 410, 503, model=TaskEnvelope)
RETRY_ANSWERS = answers(202, 400, 403, 404, 409, 410, 429, 503, model=TaskEnvelope)


@api.get("/monitoring/task_status/<task_id>", security=READ, responses=answers(200, 404, 410, 503))
def task_status(task_id: str) -> TaskEnvelope:
    """Return a task."""
    return envelope(tasks.track_tasks().status(tenant(), task_id))


@api.get("/results/<task_id>", security=READ, responses=RESULT_ANSWERS)
def task_result(task_id: str) -> Response[Prediction | TaskEnvelope]:
    """Return the prediction alone, or 202 while it is not there."""
    result = tasks.track_tasks().result(tenant(), task_id)
    if isinstance(result, Prediction):
        return Response(200, body=result)
    return accepted(result, table.lane_speed().retry_after(result.priority))


@api.get("/predict/async/", security=READ, responses=answers(200, 404, 503))
def list_tasks(
    status: Annotated[TaskStatus | None, Query(description="Only tasks in this state.")] = None,
    match_id: Annotated[str | None, Query(description="Only tasks of this match.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Tasks a page.")] = 50,
    cursor: Annotated[
        str | None,
        Query(pattern=CURSOR_PATTERN, max_length=MAX_CURSOR_LENGTH, description="`next_cursor` of the page before."),
    ] = None,
) -> TaskList:
    """Return the tenant's tasks, newest first."""
    owner = tenant()
    bound_to = {"list": "tasks", "tenant": owner, "status": status, "match_id": match_id}
    before = http.cursors().open(cursor, bound_to) if cursor else None
    page = tasks.track_tasks().list(owner, before=before, limit=limit, status=status, match_id=match_id)
    following = http.cursors().seal(page.next_before, bound_to) if page.next_before else None
    return TaskList(items=[envelope(task) for task in page.tasks], next_cursor=following)


@api.delete("/predict/async/<task_id>", security=WRITE, responses=answers(200, 403, 404, 409, 410, 503))
def cancel_task(task_id: str) -> TaskEnvelope:
    """Cancel a queued task; cancelling it again changes nothing."""
    return envelope(tasks.track_tasks().cancel(tenant(), task_id))


@api.post("/predict/async/<task_id>/retry", security=WRITE, responses=RETRY_ANSWERS)
def retry_task(task_id: str, key: Key = None) -> Response[TaskEnvelope]:
    """Submit the request of a task that ended without a result once more, as a new task."""
    once = idempotency_key(key, "POST /predict/async/{task_id}/retry", task_id)
    task = tasks.retry_task().retry(tenant(), task_id, once)
    return accepted(task, table.lane_speed().retry_after(task.priority))


def tenant() -> str:
    """Return whose tasks the caller may see."""
    return api.tenant(http.tenant_claim())


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP request."""
    return serve(api, event, context)


parts.make_at_init(tasks.retry_task, table.lane_speed, http.cursors, http.tenant_claim)
