"""What callbacks need from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from matchcast.domain.batch import Batch
from matchcast.domain.task import Task
from matchcast.domain.webhook import Attempt, Delivery, DeliveryState, Endpoint, Event, SecretRecord
from matchcast.errors import MatchcastError
from matchcast.webhook_messages import NextAttempt, WebhookMessage


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A record of the table's stream: the task or batch that it shows, or why it cannot be read.

    `body` is what goes to the dead letters where nothing can be made of it.
    """

    sequence_number: str
    body: str
    subject: Task | Batch | MatchcastError


class DeliveryStore(Protocol):
    """The delivery records in the table of webhooks. Raises StorageUnavailable if it does not answer.

    `look_at` puts a pending delivery into the index of due ones: the sweep sends its message again if it is still
    pending then. It is a little later than `next_attempt_at` where a message is on its way, and a little earlier where
    none is (delays above `MOST_DELAY_SECONDS`).
    """

    def create(self, event: Event, look_at: datetime) -> bool:
        """Put a new pending delivery that nothing has been tried for; False if there is one."""

    def get(self, event_id: str) -> Delivery | None:
        """Return a delivery, read consistently."""

    def of_subject(self, subject_id: str) -> Sequence[Delivery]:
        """Return the deliveries of a task or batch, one for each generation that ended, in order, read consistently."""

    def claim(self, delivery: Delivery, attempt: Attempt, look_at: datetime) -> bool:
        """Begin an attempt: `tried` rises by one. False unless it is pending with this series and `tried`."""

    def end(
        self,
        delivery: Delivery,
        attempt: Attempt,
        state: DeliveryState,
        next_attempt_at: datetime | None,
        look_at: datetime | None,
    ) -> bool:
        """End the claimed attempt (`delivery` is as it was claimed).

        False if it is no longer pending with this series and `tried`: another worker, or a replay, has gone on.
        """

    def replay(self, delivery: Delivery, now: datetime, look_at: datetime) -> bool:
        """Begin the next series: pending, nothing tried, due now. False if another one has begun meanwhile."""

    def between(
        self, tenant: str, since: datetime, until: datetime, cursor: str | None, limit: int
    ) -> tuple[Sequence[str], str | None]:
        """Return ids of a tenant's events by when they occurred, and where to go on (None: that was all)."""

    def due(self, until: datetime, limit: int) -> Sequence[NextAttempt]:
        """Return the pending deliveries whose `look_at` has come, the oldest first, as the messages that they lack.

        Each says when its attempt is due, for it may be looked at before that.
        """

    def looked_at(self, attempt: NextAttempt, look_at: datetime) -> None:
        """Have the sweep look again later; nothing if the delivery has changed meanwhile."""

    def oldest_due(self, now: datetime) -> datetime | None:
        """Return the earliest `look_at` that has passed, eventually consistent."""


class EndpointStore(Protocol):
    """How the callback addresses of tenants have answered. Raises StorageUnavailable if it does not answer."""

    def get(self, tenant: str, url: str) -> Endpoint | None:
        """Return what is known of an address; None: it has not failed lately."""

    def list(self, tenant: str) -> Sequence[Endpoint]:
        """Return the addresses of a tenant that fail or are disabled, or a part of very many."""

    def find(self, tenant: str, endpoint_id: str) -> Endpoint | None:
        """Return what is known of the address with an id; None: the tenant has no such one that failed lately."""

    def failed(self, tenant: str, url: str, now: datetime) -> Endpoint:
        """Note a failure: `failing_since` is set if it is not, or if the last failure was `FAILURES_APART` ago."""

    def works(self, tenant: str, url: str) -> None:
        """Forget failures: it answered well, or its tenant enables it."""

    def disable(self, endpoint: Endpoint, now: datetime) -> bool:
        """Disable an address that still fails since the same time."""


class SecretStore(Protocol):
    """The signing secrets of tenants, encrypted. Raises StorageUnavailable if table or key do not answer."""

    def list(self, tenant: str) -> Sequence[SecretRecord]:
        """Return a tenant's secrets without their values, oldest first, read consistently."""

    def add(self, tenant: str, record: SecretRecord, value: bytes) -> bool:
        """Keep a secret, encrypted for its tenant; False if there is one with this id."""

    def end(self, tenant: str, secret_id: str, ends_at: datetime) -> bool:
        """Let a secret end, never later than it would anyway; False if the tenant has none with this id."""

    def values(self, tenant: str, now: datetime) -> Sequence[bytes]:
        """Return the values of the live secrets, newest first. Only the function that signs may call this."""


class WebhookQueue(Protocol):
    """The queue `webhooks`. Raises QueueUnavailable if it does not answer."""

    def send(self, messages: Sequence[WebhookMessage], delays: Sequence[int] | None = None) -> None:
        """Send messages, ten a call, each in the group of its tenant; `delays` in seconds, 900 at most."""

    def bury(self, body: str, cause: str) -> None:
        """Put a message that can never be worked on among the dead letters, with its cause."""

    def retry_later(self, receipt_handle: str, seconds: int) -> None:
        """Have a message come again after some seconds."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered: status, and the seconds of `Retry-After` where there is a usable one."""

    status: int
    retry_after: float | None = None


class Poster(Protocol):
    """Sends one signed request to a callback address."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Answer:
        """Return the answer, read up to 64 KB, within some seconds in all; redirects are not followed.

        Raises
        ------
        AddressRefused
            If the address may not be called, or its name leads inside.
        DeliveryFailed
            If there is no answer; `cause` says why (`timeout`, `connection`, `tls`, `dns`, `protocol`).
        """
