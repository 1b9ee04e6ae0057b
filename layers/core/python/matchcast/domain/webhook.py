"""An event of a task or batch that reached a final state, and its delivery to the client's callback."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

EventType = Literal[
    "task.succeeded",
    "task.failed",
    "task.cancelled",
    "task.expired",
    "batch.completed",
    "batch.failed",
    "batch.cancelled",
]
SCHEDULE_SECONDS = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""How long after the attempt before it each attempt is made, without jitter: that of Standard Webhooks, 75 h 35 min."""

FAILURES_APART = timedelta(days=2)
"""Failures of an address further apart belong to different outages: no series pauses that long."""


class Event(BaseModel):
    """One final state of one task or batch; repeated records of the stream make the same event.

    `event_id` is the `webhook-id`: made of the subject's id and generation, without a full stop. `body` is what is
    signed and sent, byte for byte the same in every attempt.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    event_id: str
    tenant: str
    type: EventType
    subject: Literal["task", "batch"]
    subject_id: str
    generation: int
    url: str
    occurred_at: datetime
    body: str


class DeliveryState(StrEnum):
    """What became of an event; every state but `pending` stays until a replay."""

    PENDING = "pending"
    """It waits for its next attempt, or one is being made."""
    DELIVERED = "delivered"
    """The receiver answered with a 2xx."""
    FAILED = "failed"
    """The last attempt of the schedule failed."""
    STOPPED = "stopped"
    """The receiver answered with 410."""
    REFUSED = "refused"
    """The address may not be called."""
    DISABLED = "disabled"
    """The endpoint was disabled; nothing was sent."""


class Attempt(BaseModel):
    """One attempt to deliver an event. Without `ended_at` its worker died, or is at it."""

    model_config = ConfigDict(frozen=True)

    number: int
    series: int
    started_at: datetime
    ended_at: datetime | None = None
    status: int | None = None
    error: str | None = None
    """A short code where there was no answer: `timeout`, `connection`, `tls`, `dns`, `address-refused`, `no-secret`,
    `endpoint-disabled` (nothing was sent), `interrupted` (its worker died)."""


class Delivery(BaseModel):
    """The record of an event's delivery.

    `series` rises with each replay, and `tried` counts the attempts of the present series: an attempt is claimed, ended
    and scheduled under conditions on both. `next_attempt_at` is None unless the state is `pending`.
    """

    model_config = ConfigDict(frozen=True)

    event: Event
    state: DeliveryState = DeliveryState.PENDING
    series: int = 0
    tried: int = 0
    attempts: tuple[Attempt, ...] = ()
    next_attempt_at: datetime | None = None

    @property
    def unended(self) -> Attempt | None:
        """Return the latest attempt of the present series, if it was claimed and has not ended."""
        last = self.attempts[-1] if self.attempts else None
        if last is None or last.ended_at is not None or (last.series, last.number) != (self.series, self.tried):
            return None
        return last


class Endpoint(BaseModel):
    """How a callback address of a tenant has answered lately."""

    model_config = ConfigDict(frozen=True)

    endpoint_id: str
    tenant: str
    url: str
    failing_since: datetime | None = None
    disabled_at: datetime | None = None


class SecretRecord(BaseModel):
    """A signing secret without its value. After `ends_at` it signs no more."""

    model_config = ConfigDict(frozen=True)

    secret_id: str
    created_at: datetime
    ends_at: datetime | None = None
