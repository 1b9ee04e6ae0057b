"""Events and deliveries for the contract tests of their stores."""

from __future__ import annotations

from datetime import datetime, timedelta

from matchcast.domain.webhook import Attempt, Delivery, DeliveryState, Event
from matchcast.webhooks.ports import DeliveryStore
from tests.support.tasks import NOW

GRACE = timedelta(seconds=120)


def numbered(number: int, generation: int = 0, *, tenant: str = "north", at: datetime = NOW) -> Event:
    """Return an event of a subject with a number."""
    subject_id = f"0195a1b2-0000-7000-8000-{number:012d}"
    return Event(
        event_id=f"evt_{subject_id.replace('-', '')}_{generation}",
        tenant=tenant,
        type="task.succeeded",
        subject="task",
        subject_id=subject_id,
        generation=generation,
        url="https://client.com/hook",
        occurred_at=at,
        body='{"type":"task.succeeded"}',
    )


def claimed(store: DeliveryStore, event: Event, *, at: datetime = NOW) -> tuple[Delivery, Attempt]:
    """Claim the next attempt of an event; return its delivery as claimed, and the attempt."""
    delivery = read(store, event)
    attempt = Attempt(number=delivery.tried + 1, series=delivery.series, started_at=at)
    assert store.claim(delivery, attempt, at + GRACE)
    return read(store, event), attempt


def ended(store: DeliveryStore, event: Event, state: DeliveryState, *, at: datetime = NOW) -> None:
    """Make an attempt that ends in a state; one that stays pending is due after an hour."""
    delivery, attempt = claimed(store, event, at=at)
    due_at = at + timedelta(hours=1) if state is DeliveryState.PENDING else None
    done = attempt.model_copy(update={"ended_at": at, "status": 500})
    assert store.end(delivery, done, state, due_at, due_at)


def read(store: DeliveryStore, event: Event) -> Delivery:
    """Return the delivery of an event, which has to be there."""
    delivery = store.get(event.event_id)
    assert delivery is not None
    return delivery
