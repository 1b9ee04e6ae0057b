"""One attempt to deliver an event: claimed, made, and ended, so that no other worker makes the same one.

A worker may die anywhere. Before the claim its message, or the sweep, brings the same attempt again. After it the sweep
finds an attempt without an end, which is then ended as `interrupted`: it counts, because the receiver may have seen it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from matchcast.domain.webhook import Attempt, Delivery, DeliveryState, Endpoint, Event
from matchcast.errors import AddressRefused, DeliveryFailed, MatchcastError, Transient
from matchcast.tasks.isolation import faults_named
from matchcast.webhook_messages import NextAttempt
from matchcast.webhooks.endpoints import EndpointHealth
from matchcast.webhooks.ports import DeliveryStore, EndpointStore, Poster, SecretStore, WebhookQueue
from matchcast.webhooks.schedule import GRACE, MOST_DELAY_SECONDS, Uniform, delay_seconds, look_at
from matchcast.webhooks.signing import signed_headers

POST_SECONDS = 20
_CLOCKS_APART_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Attempted:
    """What an attempt came to, for logs and metrics.

    `outcome` is the state that the event ended in, or `retried`: then its next attempt is at `next_attempt_at`.
    """

    event: Event
    attempt: Attempt
    outcome: str
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Result:
    """How an attempt ends: `pending` is tried again. `works` is what it says of the endpoint, if anything."""

    state: DeliveryState
    status: int | None = None
    error: str | None = None
    retry_after: float | None = None
    works: bool | None = None


class MakeAttempts:
    """Makes attempts, one at a time, and schedules the next ones."""

    def __init__(
        self,
        *,
        deliveries: DeliveryStore,
        endpoints: EndpointStore,
        secrets: SecretStore,
        queue: WebhookQueue,
        poster: Poster,
        now: Callable[[], datetime],
        uniform: Uniform,
        report: Callable[[Attempted], None],
    ) -> None:
        self._deliveries = deliveries
        self._health = EndpointHealth(endpoints)
        self._secrets = secrets
        self._queue = queue
        self._poster = poster
        self._now = now
        self._uniform = uniform
        self._report = report

    def first(self, event: Event) -> int | None:
        """Record an event and make its first attempt, unless that was done; as `make` otherwise."""
        self._deliveries.create(event, self._now() + GRACE)
        return self.make(NextAttempt(tenant=event.tenant, event_id=event.event_id, series=0, tried=0))

    def make(self, wanted: NextAttempt) -> int | None:
        """Make an attempt, unless it was made already; return how many seconds too early it is, if it is.

        One that is hours too early comes of an index that lagged. It is done with: the sweep sends it in time.
        """
        delivery = self._deliveries.get(wanted.event_id)
        if delivery is None or not _awaits(delivery, wanted):
            return None
        now, unended = self._now(), delivery.unended
        due_at = (unended.started_at + GRACE if unended else delivery.next_attempt_at) or now
        early = (due_at - now).total_seconds()
        if early > MOST_DELAY_SECONDS:
            return None
        if early > _CLOCKS_APART_SECONDS:
            return int(early) + 1
        if unended is None:
            self._try(delivery, now)
        else:
            self._end(delivery, unended, _Result(DeliveryState.PENDING, error="interrupted"))
        return None

    def _try(self, delivery: Delivery, now: datetime) -> None:
        """Claim an attempt and make it. What is out of reach before the claim costs no attempt."""
        event = delivery.event
        endpoint = self._health.of(event)
        secrets = self._live_secrets(event, now)
        attempt = Attempt(number=delivery.tried + 1, series=delivery.series, started_at=now)
        if not self._deliveries.claim(delivery, attempt, now + GRACE):
            return
        claimed = delivery.model_copy(
            update={"tried": attempt.number, "attempts": (*delivery.attempts, attempt), "next_attempt_at": None}
        )
        result = self._result(event, endpoint, secrets)
        if result.works is not None:
            self._health.note(event, endpoint, self._now(), works=result.works)
        self._end(claimed, attempt, result)

    def _live_secrets(self, event: Event, now: datetime) -> Sequence[bytes] | str:
        """Return what signs, or the code of why nothing can."""
        try:
            with faults_named():
                return self._secrets.values(event.tenant, now) or "no-secret"
        except Transient:
            raise
        except MatchcastError as error:
            return error.code

    def _result(self, event: Event, endpoint: Endpoint | None, secrets: Sequence[bytes] | str) -> _Result:
        if endpoint is not None and endpoint.disabled_at is not None:
            return _Result(DeliveryState.DISABLED, error="endpoint-disabled")
        if isinstance(secrets, str):
            return _Result(DeliveryState.PENDING, error=secrets)
        try:
            with faults_named():
                return self._post(event, secrets)
        except AddressRefused as error:
            return _Result(DeliveryState.REFUSED, error=error.code)
        except DeliveryFailed as error:
            return _Result(DeliveryState.PENDING, error=error.cause, works=False)
        except MatchcastError as error:  # no fault of the endpoint
            return _Result(DeliveryState.PENDING, error=error.code)

    def _post(self, event: Event, secrets: Sequence[bytes]) -> _Result:
        body = event.body.encode()
        headers = signed_headers(secrets, event.event_id, self._now(), body)
        answer = self._poster.post(event.url, headers, body, POST_SECONDS)
        if 200 <= answer.status < 300:
            return _Result(DeliveryState.DELIVERED, answer.status, works=True)
        if answer.status == 410:
            return _Result(DeliveryState.STOPPED, answer.status)
        return _Result(DeliveryState.PENDING, answer.status, retry_after=answer.retry_after, works=False)

    def _end(self, claimed: Delivery, attempt: Attempt, result: _Result) -> None:
        """End an attempt and see to the next one. Should its message be lost, the sweep sends it again."""
        now = self._now()
        ended = attempt.model_copy(update={"ended_at": now, "status": result.status, "error": result.error})
        delay = delay_seconds(claimed.tried, self._uniform, result.retry_after)
        if result.state is not DeliveryState.PENDING or delay is None:
            state = DeliveryState.FAILED if result.state is DeliveryState.PENDING else result.state
            if self._deliveries.end(claimed, ended, state, None, None):
                self._report(Attempted(claimed.event, ended, state.value, None))
            return
        due_at = now + timedelta(seconds=delay)
        if not self._deliveries.end(claimed, ended, result.state, due_at, look_at(due_at, delay)):
            return
        self._report(Attempted(claimed.event, ended, "retried", due_at))
        if delay <= MOST_DELAY_SECONDS:
            self._queue.send([next_attempt(claimed, due_at)], [delay])


def next_attempt(delivery: Delivery, due_at: datetime) -> NextAttempt:
    """Return the message of the attempt that follows those of a delivery's present series."""
    return NextAttempt(
        tenant=delivery.event.tenant,
        event_id=delivery.event.event_id,
        series=delivery.series,
        tried=delivery.tried,
        due_at=due_at,
    )


def _awaits(delivery: Delivery, wanted: NextAttempt) -> bool:
    return delivery.state is DeliveryState.PENDING and (
        delivery.event.tenant,
        delivery.series,
        delivery.tried,
    ) == (wanted.tenant, wanted.series, wanted.tried)
