"""What clients see of callbacks: deliveries, secrets, endpoints; and the data of an event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from matchcast.batches.track import progress_of
from matchcast.domain.batch import Batch
from matchcast.domain.task import Task
from matchcast.domain.webhook import Attempt, Delivery, DeliveryState, Endpoint, EventType, SecretRecord
from matchcast.http.batch_envelope import batch_envelope
from matchcast.http.envelope import envelope

_EVENT = "evt_019cb2d17c0070008000000000000000_0"
_URL = "https://example.com/matchcast"
_ENDPOINT = "0f4c1b7a9d2e3f5061728394a5b6c7d8"
_SHOWN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="


class AttemptEnvelope(BaseModel):
    """One attempt to deliver an event."""

    model_config = ConfigDict(title="DeliveryAttempt")

    number: int = Field(description="Which attempt of its series it is.", examples=[1])
    series: int = Field(description="How often the event had been replayed.", examples=[0])
    started_at: datetime
    duration_ms: int | None = Field(description="Null while it is being made, and if its worker died.", examples=[87])
    status: int | None = Field(description="Of the receiver's answer; null without one.", examples=[204])
    error: str | None = Field(description="Why there was no answer.", examples=[None])


class DeliveryEnvelope(BaseModel):
    """An event, and what became of it."""

    model_config = ConfigDict(title="Delivery")

    event_id: str = Field(description="The `webhook-id` of every attempt.", examples=[_EVENT])
    type: EventType
    url: str = Field(examples=[_URL])
    state: DeliveryState = Field(examples=["delivered"])
    attempts: list[AttemptEnvelope]
    next_attempt_at: datetime | None = Field(description="Null unless it is `pending`.", examples=[None])


class DeliveryList(BaseModel):
    """The events of a task or batch, one for each time that it ended, in order."""

    deliveries: list[DeliveryEnvelope]


class SecretEnvelope(BaseModel):
    """A signing secret, without its value."""

    model_config = ConfigDict(title="WebhookSecret")

    secret_id: str = Field(examples=["019cb2d1-7c00-7000-8000-000000000000"])
    created_at: datetime
    ends_at: datetime | None = Field(description="From then on it signs no more; null: not planned.", examples=[None])


class NewSecret(SecretEnvelope):
    """A signing secret with its value, which is never shown again."""

    model_config = ConfigDict(title="NewWebhookSecret")

    secret: str = Field(description="What libraries of Standard Webhooks take.", examples=[_SHOWN])


class SecretList(BaseModel):
    """The signing secrets of the tenant, oldest first."""

    secrets: list[SecretEnvelope]


class EndpointEnvelope(BaseModel):
    """An address of callbacks that has not answered well lately."""

    model_config = ConfigDict(title="WebhookEndpoint")

    endpoint_id: str = Field(examples=[_ENDPOINT])
    url: str = Field(examples=[_URL])
    failing_since: datetime | None = Field(description="Null once it works again.")
    disabled_at: datetime | None = Field(description="Since then nothing is sent there.", examples=[None])


class EndpointList(BaseModel):
    """The addresses of the tenant that fail or are disabled."""

    endpoints: list[EndpointEnvelope]


class Replay(BaseModel):
    """How many events are sent once more."""

    events: int | None = Field(description="Null: those of a range of time, which are looked for later.", examples=[1])


def delivery_list(deliveries: Sequence[Delivery]) -> DeliveryList:
    """Return what clients see of the deliveries of a task or batch."""
    return DeliveryList(deliveries=[_delivery(each) for each in deliveries])


def secret_envelope(record: SecretRecord) -> SecretEnvelope:
    """Return what clients see of a secret."""
    return SecretEnvelope(**record.model_dump())


def endpoint_envelope(endpoint: Endpoint) -> EndpointEnvelope:
    """Return what clients see of an endpoint."""
    return EndpointEnvelope(**endpoint.model_dump(exclude={"tenant"}))


def event_data(subject: Task | Batch) -> dict[str, Any]:
    """Return the data of an event: what GET of the status of its task or batch answers."""
    if isinstance(subject, Task):
        return envelope(subject).model_dump(mode="json")
    ended = subject.completed_at or subject.created_at
    return batch_envelope(subject, progress_of(subject, ended)).model_dump(mode="json")


def _delivery(delivery: Delivery) -> DeliveryEnvelope:
    event = delivery.event
    return DeliveryEnvelope(
        event_id=event.event_id,
        type=event.type,
        url=event.url,
        state=delivery.state,
        attempts=[_attempt(each) for each in delivery.attempts],
        next_attempt_at=delivery.next_attempt_at,
    )


def _attempt(attempt: Attempt) -> AttemptEnvelope:
    ended = attempt.ended_at
    return AttemptEnvelope(
        **attempt.model_dump(include={"number", "series", "started_at", "status", "error"}),
        duration_ms=None if ended is None else round((ended - attempt.started_at).total_seconds() * 1000),
    )
