"""A task: one accepted asynchronous prediction, from `queued` to its one final state."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from matchcast.domain.prediction import Prediction, Subject

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
GONE_FOR = timedelta(days=7)
"""How long an expired task is answered with 410 before it is forgotten (404)."""


class TaskStatus(StrEnum):
    """The state of a task; every state but `queued` is final."""

    QUEUED = "queued"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Return whether only an operator's redrive can still change the task."""
        return self is not TaskStatus.QUEUED


class Priority(StrEnum):
    """The lane that a task waits in."""

    HIGH = "high"
    NORMAL = "normal"


class TaskError(BaseModel):
    """Why a task failed, in words that the client can act on."""

    model_config = ConfigDict(frozen=True)

    code: str = Field(description="Stable code of the problem, as in the `type` of an error answer.")
    detail: str = Field(description="What went wrong and what to do about it.")
    errors: tuple[dict[str, str], ...] = Field(default=(), description="Invalid fields, where there are any.")


class Task(BaseModel):
    """The task record, complete in the queue message and in the table.

    `generation` rises with each redrive, so that the late result of an earlier run is refused, and with a discard, so
    that a late redrive is.
    """

    model_config = ConfigDict(frozen=True)

    task_id: str
    tenant: str
    status: TaskStatus = TaskStatus.QUEUED
    match_id: str | None = None
    features: dict[str, Any] | None = None
    stage: str = "champion"
    priority: Priority = Priority.NORMAL
    result: Prediction | None = None
    error: TaskError | None = None
    attempts: int = 0
    generation: int = 0
    created_at: datetime
    completed_at: datetime | None = None
    start_by: datetime | None = None
    expires_at: datetime
    callback_url: str | None = None
    retry_of: str | None = None
    batch_id: str | None = None

    @model_validator(mode="after")
    def _has_one_subject(self) -> Self:
        _ = self.subject
        return self

    @property
    def subject(self) -> Subject:
        """Return what the task predicts."""
        return Subject(self.match_id, self.features)

    def status_at(self, now: datetime) -> TaskStatus:
        """Return the status that a reader sees: a queued task past `start_by` is `expired`."""
        if self.status is TaskStatus.QUEUED and self.start_by is not None and now > self.start_by:
            return TaskStatus.EXPIRED
        return self.status

    @property
    def open_until(self) -> datetime:
        """Return until when the task may still be queued: later readers see it as over, whatever its record says."""
        return self.expires_at if self.start_by is None else min(self.start_by, self.expires_at)

    def is_readable_at(self, now: datetime) -> bool:
        """Return whether the task is still within its lifetime (else 410, then 404)."""
        return now < self.expires_at

    def is_remembered_at(self, now: datetime) -> bool:
        """Return whether the task is readable, or expired within the last seven days (410)."""
        return now < self.expires_at + GONE_FOR


@dataclass(frozen=True, slots=True)
class IdPage:
    """Some ids of tasks, newest first, and the id before which the list goes on (None: it has ended)."""

    ids: Sequence[str]
    next_before: str | None


@dataclass(frozen=True, slots=True)
class WriteRule:
    """Over which record one kind of write may go; over every other record the write loses.

    Parameters
    ----------
    is_first
        Whether the write may go where there is no record.
    status
        The status of a record that the write may replace; None: it replaces no record.
    generations_later
        How many generations later than the record the written task is.
    """

    is_first: bool
    status: TaskStatus | None = None
    generations_later: int = 0

    def allows(self, record: Task | None, task: Task) -> bool:
        """Return whether `task` may be written over `record` (None: there is none)."""
        if record is None:
            return self.is_first
        return record.status is self.status and record.generation == task.generation - self.generations_later


CREATE = WriteRule(is_first=True)
"""A new task."""
FINISH = WriteRule(is_first=True, status=TaskStatus.QUEUED)
"""A final state, or one more failed attempt. The record may be missing: the message carries the whole task."""
SUPERSEDE = WriteRule(is_first=False, status=TaskStatus.FAILED, generations_later=1)
"""An operator's decision about a failed task: a redrive queues it again, the only write that leaves a final state;
a discard leaves it failed."""


def new_task_id(now: datetime | None = None) -> str:
    """Return a UUID of version 7 (RFC 9562): ids sort by the millisecond of their creation."""
    moment = time.time() if now is None else now.timestamp()
    value = (int(moment * 1000) & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76 | secrets.randbits(12) << 64
    value |= 0b10 << 62 | secrets.randbits(62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_task_id(text: str) -> bool:
    """Return whether a text has the form of a task's id (there may still be no such task)."""
    return _ID.fullmatch(text) is not None


def utc_now() -> datetime:
    """Return the present time in UTC, to the millisecond, as every record keeps it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
