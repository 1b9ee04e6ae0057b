"""The sweep: sends the messages of deliveries that are due soon, or whose message or worker got lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from matchcast.errors import MatchcastError, Transient
from matchcast.tasks.isolation import apart, faults_named
from matchcast.webhook_messages import NextAttempt
from matchcast.webhooks.ports import DeliveryStore, WebhookQueue
from matchcast.webhooks.schedule import MOST_DELAY_SECONDS

LOOK_AGAIN = timedelta(minutes=10)
_PAGE = 500
_A_CALL = 10
_THREADS = 10


@dataclass(frozen=True, slots=True)
class Swept:
    """How many messages were sent, and for how many seconds the oldest due attempt has been waiting."""

    sent: int
    oldest_seconds: float


class SweepDeliveries:
    """Sends what is due, the oldest first, as long as there is time; the next sweep goes on."""

    def __init__(
        self,
        deliveries: DeliveryStore,
        queue: WebhookQueue,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._deliveries = deliveries
        self._queue = queue
        self._now = now
        self._monotonic = monotonic

    def sweep(self, seconds: float = 45) -> Swept:
        """Send the messages of due deliveries for some seconds at most."""
        end = self._monotonic() + seconds
        seen: set[tuple[str, int, int]] = set()
        oldest = 0.0
        with ThreadPoolExecutor(_THREADS) as threads:
            # The index lags behind the table: what was just sent may be listed once more, in front of what is not yet.
            wanted = _PAGE
            while listed := self._deliveries.due(self._now(), wanted):
                unseen = [each for each in listed if _place(each) not in seen]
                oldest = max([oldest, *map(self._overdue_seconds, unseen)])
                if self._monotonic() >= end or (not unseen and len(listed) < wanted):
                    break
                wanted = _PAGE + len(listed) - len(unseen)
                calls = [unseen[start : start + _A_CALL] for start in range(0, len(unseen), _A_CALL)]
                list(threads.map(self._hand_over, calls))
                seen.update(map(_place, unseen))
        return Swept(len(seen), oldest)

    def _hand_over(self, some: Sequence[NextAttempt]) -> None:
        """Send messages, then leave their deliveries alone for a while: a crash in between sends them twice.

        One that the queue refuses as invalid is tried again by a later sweep, and holds up no other.
        """
        apart(self._send, some)
        for each in some:
            self._look_later(each)

    def _send(self, some: Sequence[NextAttempt]) -> list[None]:
        self._queue.send(some, [self._delay(each) for each in some])
        return [None] * len(some)

    def _look_later(self, attempt: NextAttempt) -> None:
        """Leave a delivery alone for a while; one that cannot be written is sent again by the next sweep."""
        try:
            with faults_named():
                self._deliveries.looked_at(attempt, self._now() + LOOK_AGAIN)
        except Transient:
            raise
        except MatchcastError:
            return

    def _delay(self, attempt: NextAttempt) -> int:
        return min(MOST_DELAY_SECONDS, max(0, ceil(-self._overdue_seconds(attempt))))

    def _overdue_seconds(self, attempt: NextAttempt) -> float:
        """Return for how long an attempt has been due; negative before."""
        return 0 if attempt.due_at is None else (self._now() - attempt.due_at).total_seconds()


def _place(attempt: NextAttempt) -> tuple[str, int, int]:
    return attempt.event_id, attempt.series, attempt.tried
