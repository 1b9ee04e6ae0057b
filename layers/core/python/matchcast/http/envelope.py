"""The task envelope: what clients see of a task."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, ConfigDict, Field

from matchcast.domain.prediction import Prediction
from matchcast.domain.task import Priority, Task, TaskError, TaskStatus


class TaskLinks(BaseModel):
    """Where to look next."""

    status: str = Field(description="Path of the task's status.")
    result: str = Field(description="Path of the prediction alone.")


class TaskEnvelope(BaseModel):
    """A task, with everything but its tenant and the features that were sent."""

    model_config = ConfigDict(title="Task")

    task_id: str
    status: TaskStatus
    match_id: str | None
    stage: str
    priority: Priority
    result: Prediction | None
    error: TaskError | None
    attempts: int = Field(description="Failed attempts so far.")
    generation: int = Field(description="Rises with each redrive by an operator.")
    created_at: datetime
    completed_at: datetime | None
    start_by: datetime | None = Field(description="A task that is not started by then is `expired`.")
    expires_at: datetime = Field(description="Until then the task is readable; then 410 for seven days, then 404.")
    retry_of: str | None
    batch_id: str | None
    links: TaskLinks


class TaskList(BaseModel):
    """One page of tasks, newest first."""

    items: list[TaskEnvelope]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last one.")


def status_path(task_id: str) -> str:
    """Return the path of a task's status."""
    return f"/monitoring/task_status/{task_id}"


def envelope(task: Task) -> TaskEnvelope:
    """Return what clients see of a task."""
    content = task.model_dump(exclude={"tenant", "features", "callback_url"})
    links = TaskLinks(status=status_path(task.task_id), result=f"/results/{task.task_id}")
    return TaskEnvelope(**content, links=links)


def accepted(task: Task, retry_after: int, more: Mapping[str, str] | None = None) -> Response[Any]:
    """Return the 202 of a task whose result is not there yet: where to ask, and after how many seconds."""
    headers = {"Location": status_path(task.task_id), "Retry-After": str(retry_after), **(more or {})}
    return Response(202, body=envelope(task), headers=headers)
