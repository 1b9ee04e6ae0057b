"""Broken copies of what tenants do about callbacks: each lacks one thing of endpoints, replays or secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from matchcast.adapters.dynamodb_endpoints import DynamoDBEndpoints
from matchcast.adapters.kms_secrets import KMSSecrets
from matchcast.domain.webhook import Delivery, Event
from matchcast.errors import MatchcastError
from matchcast.webhook_messages import NextAttempt, ReplayRange
from matchcast.webhooks import attempt as attempts
from matchcast.webhooks import replay, replay_range
from matchcast.webhooks.endpoints import EndpointHealth
from matchcast.webhooks.replay_range import ReplayPages
from tests.faults.broken_callbacks import of_updates
from tests.faults.mutant import Mutant, on_the_wire


def never_disabled(_: DynamoDBEndpoints, __: Any, ___: datetime) -> bool:
    return False


def disabled_soon(health: EndpointHealth, event: Event, known: Any, now: datetime, *, works: bool) -> None:
    note(health, event, known, now, works=works)
    found = health.of(event)
    if not works and found is not None and found.failing_since is not None and now - found.failing_since > HOUR:
        health._endpoints.disable(found, now)


HOUR = timedelta(hours=1)
note = EndpointHealth.note


def replayed_anew(deliveries: Any, delivery: Delivery, now: datetime) -> Any:
    """Put an event of its own for a replay."""
    event = delivery.event.model_copy(update={"event_id": f"{delivery.event.event_id}9"})
    deliveries.create(event, now + HOUR)
    return NextAttempt(tenant=event.tenant, event_id=event.event_id, series=0, tried=0, due_at=now)


def same_series(content: Any) -> None:
    content["ExpressionAttributeValues"][":next"] = content["ExpressionAttributeValues"][":series"]


def first_page(pages: ReplayPages, wanted: ReplayRange) -> None:
    del pages, wanted


def of_anybody(replaying: Any, tenant: str, subject_id: str, otherwise: MatchcastError) -> int:
    known = replaying._deliveries.of_subject(subject_id)
    if not known:
        raise otherwise
    with suppress(MatchcastError):
        message = replay_range.begin_series(replaying._deliveries, known[-1], replaying._now())
        replaying._queue.send([message] if message else [])
    del tenant
    return 1


def ended_too(secrets: KMSSecrets, tenant: str, now: datetime) -> Sequence[bytes]:
    return values(secrets, tenant, now.replace(year=2000))


values = KMSSecrets.values


def newest_only(secrets: KMSSecrets, tenant: str, now: datetime) -> Sequence[bytes]:
    return values(secrets, tenant, now)[:1]


def signed_once(secrets: Sequence[bytes], event_id: str, now: datetime, body: bytes) -> Mapping[str, str]:
    """Sign all attempts of an event as if they were made at its first one."""
    first = _signed.setdefault(event_id + str(secrets), now)
    return signed_headers(secrets, event_id, min(first, now), body)


_signed: dict[str, datetime] = {}
signed_headers: Callable[..., Mapping[str, str]] = vars(attempts)["signed_headers"]

WEBHOOK_MUTANTS = (
    Mutant("a failing endpoint is never disabled", DynamoDBEndpoints, "disable", never_disabled),
    Mutant("a failing endpoint is disabled after an hour", EndpointHealth, "note", disabled_soon),
    Mutant("a replay makes a new id", replay, "begin_series", replayed_anew),
    on_the_wire("a replay goes on with the old series", of_updates("series = :next", same_series)),
    Mutant("a range is not replayed", ReplayPages, "replay_page", first_page),
    Mutant("a replay for another tenant", replay.ReplayEvents, "_replay_known", of_anybody),
    Mutant("an old secret signs after its end", KMSSecrets, "values", ended_too),
    Mutant("only the newest secret signs", KMSSecrets, "values", newest_only),
    Mutant("attempts are signed for the time of the first one", attempts, "signed_headers", signed_once),
)
"""The broken copies of what tenants do."""
