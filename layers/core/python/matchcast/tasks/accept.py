"""Acceptance of a task: the message first, then the record, then the answer; with a key, at most one task.

A crash in between leaves a message whose result is written without a record (the worker's final write
creates it) and a client that saw no 202. A worker that is faster than the record is fine: the put loses.

With an idempotency key a key record comes first, with the task's id and the request's fingerprint.
The caller that put it sends the message. Every other caller answers with the same task once its record is there.
If it does not appear in time, the first caller may have died, so the message is sent once more under
the same id: at worst the prediction is computed twice, and no 202 is given for a task that was never sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from matchcast.domain.task import Task, new_task_id
from matchcast.errors import FieldError, KeyReused
from matchcast.ports import IdempotencyKeys, KeyRecord, PredictionQueue, TaskStore

PATIENCE_SECONDS = 2.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's key, and the fingerprint of the request that it came with."""

    value: str
    fingerprint: str


MakeTask = Callable[[str, datetime], Task]
"""Makes the task from its id and the time of its creation; raises what is wrong with the request."""


class AcceptTask:
    """Accepts tasks, once for each key."""

    def __init__(
        self,
        *,
        tasks: TaskStore,
        lanes: PredictionQueue,
        keys: IdempotencyKeys,
        now: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tasks = tasks
        self._lanes = lanes
        self._keys = keys
        self._now = now
        self._sleep = sleep

    def accept(
        self, tenant: str, make: MakeTask, key: IdempotencyKey | None = None, delay_seconds: int = 0
    ) -> tuple[Task, bool]:
        """Return the accepted task, and whether this call is the one that sent it.

        Raises
        ------
        KeyReused
            If the key was used with another request.
        QueueUnavailable, StorageUnavailable
            If the task was not accepted.
        """
        now = self._now()
        if key is None:
            return self._send(make(new_task_id(now), now), delay_seconds), True
        record = self._keys.find(tenant, key.value, now)
        if record is None:
            mine = KeyRecord(new_task_id(now), key.fingerprint, now)
            task = make(mine.task_id, now)
            if self._keys.claim(tenant, key.value, mine, task.expires_at):
                return self._send(task, delay_seconds), True
            record = self._keys.find(tenant, key.value, now) or mine
        if record.fingerprint != key.fingerprint:
            detail = "This key was used with another request. Send a new key, or the request as it was."
            raise KeyReused(detail, [FieldError(detail=detail, header="Idempotency-Key")])
        known = self._find(record.task_id)
        if known is not None:
            return known, False
        return self._send(make(record.task_id, record.created_at), delay_seconds), True

    def _send(self, task: Task, delay_seconds: int) -> Task:
        self._lanes.send(task, delay_seconds)
        self._tasks.create(task)
        return task

    def _find(self, task_id: str) -> Task | None:
        """Return a task that another caller is just recording."""
        for _ in range(int(PATIENCE_SECONDS / _POLL_SECONDS)):
            task = self._tasks.get_many([task_id]).get(task_id)
            if task is not None:
                return task
            self._sleep(_POLL_SECONDS)
        return None
