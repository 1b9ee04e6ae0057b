"""Events: what a task or batch that reached a final state tells its client's callback."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from pydantic_core import to_json

from matchcast.domain.batch import Batch, BatchStatus
from matchcast.domain.task import Task
from matchcast.domain.webhook import Event, EventType
from matchcast.errors import InvalidMessage

MOST_BODY_BYTES = 100_000
"""Inside of a message each quote and backslash of it is two bytes, and a message of SQS may have 256 KiB everywhere."""

Render = Callable[[Task | Batch], dict[str, Any]]
"""Returns what the status of a task or batch shows to its client."""


def event_of(subject: Task | Batch, render: Render) -> Event | None:
    """Return the event of a subject, always the same one for its generation; None: it has no callback, or goes on.

    Raises
    ------
    InvalidMessage
        If nothing that can be sent comes of the record.
    """
    if subject.callback_url is None or not subject.status.is_final:
        return None
    is_task = isinstance(subject, Task)
    subject_id = subject.task_id if isinstance(subject, Task) else subject.batch_id
    if subject.completed_at is None:
        raise InvalidMessage(f"The record {subject_id} is {subject.status} and has no completed_at.")
    state = "completed" if subject.status is BatchStatus.SUCCEEDED else subject.status.value
    kind = cast("EventType", f"{'task' if is_task else 'batch'}.{state}")
    return Event(
        event_id=f"evt_{subject_id.replace('-', '')}_{subject.generation}",
        tenant=subject.tenant,
        type=kind,
        subject="task" if is_task else "batch",
        subject_id=subject_id,
        generation=subject.generation,
        url=subject.callback_url,
        occurred_at=subject.completed_at,
        body=_body(kind, subject.completed_at, render(subject)),
    )


def _body(kind: str, at: datetime, data: dict[str, Any]) -> str:
    body = to_json({"type": kind, "timestamp": at, "data": data})
    if len(body) > MOST_BODY_BYTES:
        raise InvalidMessage(f"The event has {len(body)} bytes; {MOST_BODY_BYTES} is the most that is sent.")
    return body.decode()
