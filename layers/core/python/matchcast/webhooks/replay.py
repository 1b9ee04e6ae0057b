"""Replays that a tenant asks for: its events once more, under their ids, for a receiver that lost them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from matchcast.batches.ports import BatchStore
from matchcast.batches.track import find_batch
from matchcast.domain.batch import Batch
from matchcast.domain.task import Task
from matchcast.errors import Conflict, FieldError, InvalidRequest, MatchcastError, NotFound
from matchcast.ports import TaskStore
from matchcast.tasks.track import find_task
from matchcast.webhook_messages import NewEvent, ReplayRange
from matchcast.webhooks.events import Render, event_of
from matchcast.webhooks.ports import DeliveryStore, WebhookQueue
from matchcast.webhooks.replay_range import begin_series

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Before all events, and far enough from the ends of the calendar to be written in UTC."""


class ReplayEvents:
    """Delivers events of a tenant once more."""

    def __init__(
        self,
        *,
        deliveries: DeliveryStore,
        queue: WebhookQueue,
        tasks: TaskStore,
        batches: BatchStore,
        render: Render,
        now: Callable[[], datetime],
    ) -> None:
        self._deliveries = deliveries
        self._queue = queue
        self._tasks = tasks
        self._batches = batches
        self._render = render
        self._now = now

    def replay_subject(self, tenant: str, *, task_id: str | None = None, batch_id: str | None = None) -> int:
        """Deliver the last event of a task or batch once more; return how many events that are: one.

        An event that has no record was lost on its way, and is made from the record of its subject. One that has a
        record can be replayed after its subject has expired.

        Raises
        ------
        TaskNotFound, TaskGone, BatchNotFound, BatchGone
            If there is no such subject of this tenant, or it has expired and has no event.
        Conflict
            If it has no event, because it has not ended or has no callback.
        """
        subject_id = task_id if task_id is not None else batch_id
        if subject_id is None:
            raise InvalidRequest("Name a task_id or a batch_id.")
        try:
            if task_id is not None:
                subject: Task | Batch = find_task(self._tasks, tenant, task_id, self._now())
            else:
                subject = find_batch(self._batches, tenant, subject_id, self._now())
        except MatchcastError as error:
            if not isinstance(error, NotFound) and error.status != 410:
                raise
            return self._replay_known(tenant, subject_id, error)
        event = event_of(subject, self._render)
        if event is not None and self._deliveries.get(event.event_id) is None:
            self._queue.send([NewEvent(event=event)])
            return 1
        why = "has no callback_url" if subject.callback_url is None else "has not ended"
        return self._replay_known(tenant, subject_id, Conflict(f"There is no event of {subject_id}: it {why}."))

    def replay_range(self, tenant: str, since: datetime, until: datetime | None = None) -> None:
        """Have the events from `since` to before `until` (or now, if that is earlier) delivered once more.

        Raises
        ------
        InvalidRequest
            If the range is empty.
        """
        now = self._now()
        start, end = max(since, _EARLIEST), now if until is None else min(until, now)
        if end <= start:
            detail = "The range is empty: `since` has to be earlier than `until`, and than now."
            raise InvalidRequest(detail, [FieldError(detail=detail, pointer="/since")])
        self._queue.send([ReplayRange(tenant=tenant, since=start, until=end, requested_at=now)])

    def _replay_known(self, tenant: str, subject_id: str, otherwise: MatchcastError) -> int:
        """Replay the last recorded event of a subject, or raise what to say where there is none."""
        known = [each for each in self._deliveries.of_subject(subject_id) if each.event.tenant == tenant]
        if not known:
            raise otherwise
        message = begin_series(self._deliveries, known[-1], self._now())
        if message is not None:
            self._queue.send([message])
        return 1
