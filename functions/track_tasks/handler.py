"""Routes of track_tasks."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from matchcast.bootstrap import http, parts, table, tasks
from matchcast.domain.match_id import PATTERN
from matchcast.domain.prediction import Prediction
from matchcast.domain.task import TaskStatus
from matchcast.errors import Conflict, CursorNotFound, StorageUnavailable, TaskGone, TaskNotFound, TaskOver
from matchcast.http.api import Api, serve
from matchcast.http.contract import ACCEPTING, READ, WRITE, answers
from matchcast.http.cursors import CURSOR_PATTERN, MAX_CURSOR_LENGTH
from matchcast.http.envelope import TaskEnvelope, TaskList, accepted, envelope
from matchcast.http.idempotency import Key, idempotency_key
from matchcast.http.parameters import DIGITS_ALONE

api = Api(http.settings)
OF_A_TASK = (TaskNotFound, TaskGone, StorageUnavailable)
PageSize = Annotated[int, Field(ge=1, le=100), DIGITS_ALONE]
RESULT_ANSWERS = answers(200, *OF_A_TASK, TaskOver, model=Prediction) | answers(202, model=TaskEnvelope)
RETRY_ANSWERS = answers(202, *ACCEPTING, TaskNotFound, TaskGone, Conflict, model=TaskEnvelope)


@api.get("/monitoring/task_status/<task_id>", security=READ, responses=answers(200, *OF_A_TASK))
def task_status(task_id: str) -> TaskEnvelope:
    """Return a task.

    A task that nobody started before `start_by` is `expired`. After `expires_at` the answer is a 410 for seven days.
    """
    return envelope(tasks.track_tasks().status(api.tenant, task_id))


@api.get("/results/<task_id>", security=READ, responses=RESULT_ANSWERS)
def task_result(task_id: str) -> Response[Prediction | TaskEnvelope]:
    """Return the prediction alone, or 202 while it is not there.

    `Retry-After` of a 202 says when to ask again. A task that failed, was cancelled or expired is a 409 that says why.
    """
    result = tasks.track_tasks().result(api.tenant, task_id)
    if isinstance(result, Prediction):
        return Response(200, body=result)
    return accepted(result, table.lane_speed().retry_after(result.priority))


@api.get("/predict/async/", security=READ, responses=answers(200, CursorNotFound, StorageUnavailable))
def list_tasks(
    status: Annotated[TaskStatus | None, Query(description="Only tasks in this state.")] = None,
    match_id: Annotated[str | None, Query(pattern=f"^{PATTERN}$", description="Only tasks of this match.")] = None,
    limit: Annotated[PageSize, Query(description="Tasks a page.")] = 50,
    cursor: Annotated[
        str | None,
        Query(pattern=CURSOR_PATTERN, max_length=MAX_CURSOR_LENGTH, description="`next_cursor` of the page before."),
    ] = None,
) -> TaskList:
    """Return the tenant's tasks, newest first.

    Whose tasks they are comes from the token alone.
    """
    owner = api.tenant
    bound_to = {"list": "tasks", "tenant": owner, "status": status, "match_id": match_id}
    before = http.cursors().open(cursor, bound_to) if cursor else None
    page = tasks.track_tasks().list(owner, before=before, limit=limit, status=status, match_id=match_id)
    following = http.cursors().seal(page.next_before, bound_to) if page.next_before else None
    return TaskList(items=[envelope(task) for task in page.tasks], next_cursor=following)


@api.delete("/predict/async/<task_id>", security=WRITE, responses=answers(200, *OF_A_TASK, Conflict))
def cancel_task(task_id: str) -> TaskEnvelope:
    """Cancel a queued task; cancelling it again changes nothing.

    A task that has ended in another way is a 409.
    """
    return envelope(tasks.track_tasks().cancel(api.tenant, task_id))


@api.post("/predict/async/<task_id>/retry", security=WRITE, responses=RETRY_ANSWERS)
def retry_task(task_id: str, key: Key = None) -> Response[TaskEnvelope]:
    """Submit the request of a task that ended without a result once more, as a new task.

    The new task names the old one in `retry_of`. A task that is queued or has succeeded is a 409.
    """
    once = idempotency_key(key, "POST /predict/async/{task_id}/retry", task_id)
    task, is_new = tasks.retry_task().retry(api.tenant, task_id, once)
    api.asked.stage = task.stage  # one that was published when the first task was accepted
    api.asked.became_task(is_new=is_new)
    return accepted(task, table.lane_speed().retry_after(task.priority))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP request."""
    return serve(api, event, context)


parts.make_at_init(tasks.retry_task, table.lane_speed, http.cursors, http.settings)
