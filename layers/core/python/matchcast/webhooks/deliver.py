"""The worker of the queue of webhooks: does what each message of a receive asks for, and says what became of it.

Whatever one message raises concerns that message alone. While table, key or queue are out of reach a message comes
again, later each time; one that came too often is replaced by a copy, so that an outage of any length loses nothing.
That of an event with a record needs no copy: the sweep sends another, and every copy would live beside it.
Any other fault is given up in the end, and the message is buried with its cause.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from matchcast.errors import InvalidMessage, MatchcastError, Transient
from matchcast.ports import Received
from matchcast.tasks.isolation import faults_named
from matchcast.webhook_messages import NewEvent, NextAttempt, WebhookMessage, decode_webhook_message
from matchcast.webhooks.attempt import Attempted, MakeAttempts
from matchcast.webhooks.ports import DeliveryStore, EndpointStore, Poster, SecretStore, WebhookQueue
from matchcast.webhooks.replay_range import ReplayPages
from matchcast.webhooks.schedule import MOST_DELAY_SECONDS, Uniform

RENEW_AFTER_RECEIVES = 10
"""The queue dead-letters a message after twice as many."""
LEAVE_AFTER_RECEIVES = 6
"""By then, ten minutes later, the sweep has sent the next message of a known event."""
_FIRST_RETRY_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message: `done` ones are deleted, the others come again; `problem` is what went wrong."""

    message_id: str
    done: bool
    problem: MatchcastError | None = None


class DeliverEvents:
    """Works on the messages of a receive, each in a thread of its own. `report` is called in these threads."""

    def __init__(
        self,
        *,
        deliveries: DeliveryStore,
        endpoints: EndpointStore,
        secrets: SecretStore,
        queue: WebhookQueue,
        poster: Poster,
        now: Callable[[], datetime],
        uniform: Uniform = random.uniform,
        report: Callable[[Attempted], None],
    ) -> None:
        self._queue = queue
        self._replays = ReplayPages(deliveries, queue, now)
        self._attempts = MakeAttempts(
            deliveries=deliveries,
            endpoints=endpoints,
            secrets=secrets,
            queue=queue,
            poster=poster,
            now=now,
            uniform=uniform,
            report=report,
        )

    def deliver(self, received: Sequence[Received]) -> list[Outcome]:
        """Return what became of each message, in order."""
        with ThreadPoolExecutor(max(1, len(received))) as threads:
            return list(threads.map(self._attend, received))

    def _attend(self, received: Received) -> Outcome:
        try:
            message = decode_webhook_message(received.body)
        except InvalidMessage as error:
            return self._bury(received, error)
        try:
            with faults_named():
                early = self._do(message)
        except MatchcastError as problem:
            return self._try_again(received, message, problem)
        return Outcome(received.message_id, done=True) if early is None else self._later(received, early)

    def _do(self, message: WebhookMessage) -> int | None:
        """Do what a message asks for; return how many seconds too early it came, if it did."""
        if isinstance(message, NewEvent):
            return self._attempts.first(message.event)
        if isinstance(message, NextAttempt):
            return self._attempts.make(message)
        self._replays.replay_page(message)
        return None

    def _try_again(self, received: Received, message: WebhookMessage, problem: MatchcastError) -> Outcome:
        is_outage, is_known = isinstance(problem, Transient), isinstance(message, NextAttempt)
        if is_outage and is_known and received.receive_count >= LEAVE_AFTER_RECEIVES:
            return Outcome(received.message_id, done=True, problem=problem)
        if received.receive_count < RENEW_AFTER_RECEIVES:
            seconds = _FIRST_RETRY_SECONDS * 2 ** min(received.receive_count - 1, 6)
            return self._later(received, int(seconds * random.uniform(1, 1.4)), problem)  # noqa: S311 - no secret
        if not is_outage:
            return self._bury(received, problem)
        try:
            with faults_named():
                self._queue.send([message], [MOST_DELAY_SECONDS])
        except MatchcastError:
            return self._later(received, MOST_DELAY_SECONDS, problem)
        return Outcome(received.message_id, done=True, problem=problem)

    def _later(self, received: Received, seconds: int, problem: MatchcastError | None = None) -> Outcome:
        """Have a message come again after some seconds; where that fails, after the queue's visibility timeout."""
        with suppress(MatchcastError), faults_named():
            self._queue.retry_later(received.receipt_handle, seconds)
        return Outcome(received.message_id, done=False, problem=problem)

    def _bury(self, received: Received, problem: MatchcastError) -> Outcome:
        """Put a message among the dead letters; where they refuse it, the queue does so in the end."""
        try:
            with faults_named():
                self._queue.bury(received.body, problem.code)
        except MatchcastError:
            return Outcome(received.message_id, done=False, problem=problem)
        return Outcome(received.message_id, done=True, problem=problem)
