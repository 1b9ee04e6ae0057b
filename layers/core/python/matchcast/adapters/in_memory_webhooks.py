"""The ports of callbacks in memory, kept honest by the same contract tests as those on AWS."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from matchcast.domain.webhook import (
    FAILURES_APART,
    Attempt,
    Delivery,
    DeliveryState,
    Endpoint,
    Event,
    SecretRecord,
)
from matchcast.webhook_messages import NextAttempt, WebhookMessage, encode_webhook_message


class InMemoryDeliveries:
    """A `DeliveryStore` in dictionaries."""

    def __init__(self) -> None:
        self._deliveries: dict[str, Delivery] = {}
        self._look_at: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def create(self, event: Event, look_at: datetime) -> bool:
        """Put a new pending delivery that nothing has been tried for; False if there is one."""
        with self._lock:
            if event.event_id in self._deliveries:
                return False
            return self._put(Delivery(event=event, next_attempt_at=event.occurred_at), look_at)

    def get(self, event_id: str) -> Delivery | None:
        """Return a delivery."""
        return self._deliveries.get(event_id)

    def of_subject(self, subject_id: str) -> Sequence[Delivery]:
        """Return the deliveries of a task or batch, by generation."""
        found = [each for each in self._deliveries.values() if each.event.subject_id == subject_id]
        return sorted(found, key=lambda each: each.event.generation)

    def claim(self, delivery: Delivery, attempt: Attempt, look_at: datetime) -> bool:
        """Begin an attempt; False unless the delivery is pending with this series and `tried`."""
        with self._lock:
            present = self._present(delivery)
            if present is None:
                return False
            attempts = (*present.attempts, attempt)
            begun = {"tried": present.tried + 1, "attempts": attempts, "next_attempt_at": None}
            return self._put(present.model_copy(update=begun), look_at)

    def end(
        self,
        delivery: Delivery,
        attempt: Attempt,
        state: DeliveryState,
        next_attempt_at: datetime | None,
        look_at: datetime | None,
    ) -> bool:
        """End the claimed attempt; False unless the delivery is pending with this series and `tried`."""
        with self._lock:
            present = self._present(delivery)
            if present is None:
                return False
            attempts = (*present.attempts[:-1], attempt)
            ended = {"state": state, "attempts": attempts, "next_attempt_at": next_attempt_at}
            return self._put(present.model_copy(update=ended), look_at)

    def replay(self, delivery: Delivery, now: datetime, look_at: datetime) -> bool:
        """Begin the next series; False if another one has begun meanwhile."""
        with self._lock:
            present = self._deliveries.get(delivery.event.event_id)
            if present is None or present.series != delivery.series:
                return False
            state = DeliveryState.PENDING
            begun = {"state": state, "series": present.series + 1, "tried": 0, "next_attempt_at": now}
            return self._put(present.model_copy(update=begun), look_at)

    def between(
        self, tenant: str, since: datetime, until: datetime, cursor: str | None, limit: int
    ) -> tuple[Sequence[str], str | None]:
        """Return ids of a tenant's events that occurred from `since` to before `until`, and where to go on."""
        events = [each.event for each in self._deliveries.values()]
        places = sorted(
            f"{event.occurred_at.isoformat(timespec='milliseconds')}#{event.event_id}"
            for event in events
            if event.tenant == tenant and since <= event.occurred_at < until
        )
        rest = [place for place in places if cursor is None or place > cursor]
        ids = [place.partition("#")[2] for place in rest[:limit]]
        return ids, rest[limit - 1] if len(rest) > limit else None

    def due(self, until: datetime, limit: int) -> Sequence[NextAttempt]:
        """Return the pending deliveries whose `look_at` has come, the oldest first."""
        with self._lock:
            due = sorted((at, event_id) for event_id, at in self._look_at.items() if at <= until)
        return [_message(self._deliveries[event_id]) for _, event_id in due[:limit]]

    def looked_at(self, attempt: NextAttempt, look_at: datetime) -> None:
        """Look again later; nothing if the delivery has changed meanwhile."""
        with self._lock:
            present = self._deliveries.get(attempt.event_id)
            if present is None or attempt.event_id not in self._look_at:
                return
            if _message(present) == attempt:
                self._look_at[attempt.event_id] = look_at

    def oldest_due(self, now: datetime) -> datetime | None:
        """Return the earliest `look_at` that has passed."""
        return min((at for at in list(self._look_at.values()) if at <= now), default=None)

    def _present(self, delivery: Delivery) -> Delivery | None:
        """Return the record, if it is pending with the series and `tried` of a delivery."""
        present = self._deliveries.get(delivery.event.event_id)
        if present is None or present.state is not DeliveryState.PENDING:
            return None
        return present if (present.series, present.tried) == (delivery.series, delivery.tried) else None

    def _put(self, delivery: Delivery, look_at: datetime | None) -> bool:
        event_id = delivery.event.event_id
        self._deliveries[event_id] = delivery
        self._look_at.pop(event_id, None)
        if look_at is not None:
            self._look_at[event_id] = look_at
        return True


class InMemoryEndpoints:
    """An `EndpointStore` in a dictionary."""

    def __init__(self) -> None:
        self._endpoints: dict[tuple[str, str], Endpoint] = {}
        self._failed_at: dict[tuple[str, str], datetime] = {}
        self._lock = threading.Lock()

    def get(self, tenant: str, url: str) -> Endpoint | None:
        """Return what is known of an address."""
        return self._endpoints.get((tenant, url))

    def list(self, tenant: str) -> Sequence[Endpoint]:
        """Return the addresses of a tenant that fail or are disabled."""
        return [endpoint for endpoint in self._endpoints.values() if endpoint.tenant == tenant]

    def find(self, tenant: str, endpoint_id: str) -> Endpoint | None:
        """Return what is known of the address with an id."""
        return next((each for each in self.list(tenant) if each.endpoint_id == endpoint_id), None)

    def failed(self, tenant: str, url: str, now: datetime) -> Endpoint:
        """Note a failure."""
        endpoint_id = hashlib.sha256(url.encode()).hexdigest()[:32]
        first = Endpoint(endpoint_id=endpoint_id, tenant=tenant, url=url, failing_since=now)
        place = (tenant, url)
        with self._lock:
            known, last = self._endpoints.get(place), self._failed_at.get(place, now)
            self._failed_at[place] = now
            if known is None or (known.disabled_at is None and last < now - FAILURES_APART):
                self._endpoints[place] = first
            return self._endpoints[place]

    def works(self, tenant: str, url: str) -> None:
        """Forget failures."""
        self._endpoints.pop((tenant, url), None)

    def disable(self, endpoint: Endpoint, now: datetime) -> bool:
        """Disable an address that still fails since the same time."""
        place = (endpoint.tenant, endpoint.url)
        with self._lock:
            present = self._endpoints.get(place)
            if present is None or present.disabled_at or present.failing_since != endpoint.failing_since:
                return False
            self._endpoints[place] = present.model_copy(update={"disabled_at": now})
            return True


class InMemorySecrets:
    """A `SecretStore` in a dictionary."""

    def __init__(self) -> None:
        self._secrets: dict[tuple[str, str], tuple[SecretRecord, bytes]] = {}

    def list(self, tenant: str) -> Sequence[SecretRecord]:
        """Return a tenant's secrets without their values, oldest first."""
        return [record for record, _ in self._of(tenant)]

    def add(self, tenant: str, record: SecretRecord, value: bytes) -> bool:
        """Keep a secret; False if there is one with this id."""
        if (tenant, record.secret_id) in self._secrets:
            return False
        self._secrets[tenant, record.secret_id] = (record, value)
        return True

    def end(self, tenant: str, secret_id: str, ends_at: datetime) -> bool:
        """Let a secret end; False if the tenant has none with this id."""
        if (tenant, secret_id) not in self._secrets:
            return False
        record, value = self._secrets[tenant, secret_id]
        ends_at = ends_at if record.ends_at is None else min(ends_at, record.ends_at)
        self._secrets[tenant, secret_id] = (record.model_copy(update={"ends_at": ends_at}), value)
        return True

    def values(self, tenant: str, now: datetime) -> Sequence[bytes]:
        """Return the values of the live secrets, newest first."""
        return [value for record, value in reversed(self._of(tenant)) if record.ends_at is None or now < record.ends_at]

    def _of(self, tenant: str) -> Sequence[tuple[SecretRecord, bytes]]:
        found = [kept for (owner, _), kept in self._secrets.items() if owner == tenant]
        return sorted(found, key=lambda kept: (kept[0].created_at, kept[0].secret_id))


@dataclass
class InMemoryWebhookQueue:
    """A `WebhookQueue` that remembers what was sent, postponed and buried."""

    sent: list[tuple[str, int]] = field(default_factory=list)
    """Bodies, each with its delay in seconds."""
    postponed: list[tuple[str, int]] = field(default_factory=list)
    buried: list[tuple[str, str]] = field(default_factory=list)

    def send(self, messages: Sequence[WebhookMessage], delays: Sequence[int] | None = None) -> None:
        """Keep messages."""
        bodies = map(encode_webhook_message, messages)
        self.sent += zip(bodies, delays or [0] * len(messages), strict=True)

    def bury(self, body: str, cause: str) -> None:
        """Keep a dead letter."""
        self.buried.append((body, cause))

    def retry_later(self, receipt_handle: str, seconds: int) -> None:
        """Remember the delay."""
        self.postponed.append((receipt_handle, seconds))


def _message(delivery: Delivery) -> NextAttempt:
    return NextAttempt(
        tenant=delivery.event.tenant,
        event_id=delivery.event.event_id,
        series=delivery.series,
        tried=delivery.tried,
        due_at=delivery.next_attempt_at,
    )
