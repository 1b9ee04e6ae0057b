"""Acceptance of a task or a batch: the message first, then the record, then the answer; with a key, at most one.

A crash in between leaves a message whose result is written without a record (the worker's final write
creates it) and a client that saw no 202. A worker that is faster than the record is fine: the put loses.

With an idempotency key a key record comes first, with the id and the request's fingerprint.
The caller that put it sends the message. Every other caller answers with the same one once its record is there.
If it does not appear in time, the first caller may have died, so the message is sent once more under
the same id: at worst a prediction is computed twice, and no 202 is given for what was never sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

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


class Acceptable(Protocol):
    """What can be accepted: it has an end of its life."""

    @property
    def expires_at(self) -> datetime:
        """Return until when it is kept."""


T = TypeVar("T", bound=Acceptable)
T_contra = TypeVar("T_contra", contravariant=True)


class Records(Protocol[T]):
    """Where what is accepted is recorded."""

    def get_many(self, ids: Sequence[str], /) -> Mapping[str, T]:
        """Return the records that exist, by id, read consistently."""

    def create(self, accepted: T, /) -> bool:
        """Put a new record; False if one with its id is there already."""


class Outbox(Protocol[T_contra]):
    """Where the message goes that has what is accepted done."""

    def send(self, accepted: T_contra, delay_seconds: int = 0, /) -> None:
        """Send the message; sending it again does no harm."""


def send_and_record(outbox: Outbox[T], records: Records[T], made: T, delay_seconds: int = 0) -> None:
    """Send the message, then put the record: in this order a crash in between loses nothing."""
    outbox.send(made, delay_seconds)
    records.create(made)


class Accept(Generic[T]):
    """Accepts tasks or batches, once for each key."""

    def __init__(
        self,
        *,
        records: Records[T],
        outbox: Outbox[T],
        keys: IdempotencyKeys,
        now: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._records = records
        self._outbox = outbox
        self._keys = keys
        self._now = now
        self._sleep = sleep

    def accept(
        self, tenant: str, make: Callable[[str, datetime], T], key: IdempotencyKey | None = None, delay_seconds: int = 0
    ) -> tuple[T, bool]:
        """Return what was accepted, and whether this call is the one that sent it.

        `make` makes it from its id and the time of its creation, and raises what is wrong with the request.

        Raises
        ------
        KeyReused
            If the key was used with another request.
        QueueUnavailable, StorageUnavailable
            If it was not accepted.
        """
        now = self._now()
        if key is None:
            return self._send(make(new_task_id(now), now), delay_seconds), True
        record = self._keys.find(tenant, key.value, now)
        if record is None:
            mine = KeyRecord(new_task_id(now), key.fingerprint, now)
            made = make(mine.task_id, now)
            if self._keys.claim(tenant, key.value, mine, made.expires_at):
                return self._send(made, delay_seconds), True
            record = self._keys.find(tenant, key.value, now) or mine
        if record.fingerprint != key.fingerprint:
            detail = "This key was used with another request. Send a new key, or the request as it was."
            raise KeyReused(detail, [FieldError(detail=detail, header="Idempotency-Key")])
        known = self._find(record.task_id)
        if known is not None:
            return known, False
        return self._send(make(record.task_id, record.created_at), delay_seconds), True

    def send_again(self, accepted: T) -> None:
        """Send another message of what was accepted, without a delay.

        Raises
        ------
        QueueUnavailable
            If it was not sent.
        """
        self._outbox.send(accepted)

    def _send(self, made: T, delay_seconds: int) -> T:
        send_and_record(self._outbox, self._records, made, delay_seconds)
        return made

    def _find(self, accepted_id: str) -> T | None:
        """Return what another caller is just recording."""
        for _ in range(int(PATIENCE_SECONDS / _POLL_SECONDS)):
            found = self._records.get_many([accepted_id]).get(accepted_id)
            if found is not None:
                return found
            self._sleep(_POLL_SECONDS)
        return None


MakeTask = Callable[[str, datetime], Task]
"""Makes the task from its id and the time of its creation; raises what is wrong with the request."""


class AcceptTask(Accept[Task]):
    """Accepts tasks."""

    def __init__(
        self,
        *,
        tasks: TaskStore,
        lanes: PredictionQueue,
        keys: IdempotencyKeys,
        now: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(records=tasks, outbox=lanes, keys=keys, now=now, sleep=sleep)
