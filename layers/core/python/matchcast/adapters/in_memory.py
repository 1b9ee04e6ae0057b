"""Ports without AWS: real implementations in memory, kept honest by the same contract tests as the AWS ones."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from matchcast.domain.prediction import Prediction
from matchcast.domain.task import CREATE, FINISH, SUPERSEDE, IdPage, Priority, Task, WriteRule, utc_now
from matchcast.messages import encode
from matchcast.ports import DeadLetter, KeyRecord, ListedObject, Received, StoredObject


class InMemoryObjects:
    """A `ReleaseStore` in a dictionary; `now` is its clock."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self.now = now
        self._bodies: dict[str, bytes] = {}
        self._modified_at: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> StoredObject | None:
        """Return an object, or None where there is none."""
        body = self._bodies.get(key)
        return None if body is None else StoredObject(body, _etag(body))

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """Return the object if its ETag is another one, None if it is the same; a missing object raises KeyError."""
        body = self._bodies[key]
        return None if _etag(body) == etag else StoredObject(body, _etag(body))

    def put(self, key: str, body: bytes, content_type: str = "application/octet-stream") -> None:  # noqa: ARG002
        """Write an object, whatever was there."""
        self._write(key, body)

    def switch(self, key: str, body: bytes, etag: str | None) -> bool:
        """Write a manifest only over the version read as `etag` (None: only where there is none)."""
        with self._lock:
            present = self.get(key)
            if (present.etag if present else None) != etag:
                return False
            self._write(key, body)
            return True

    def list_objects(self, prefix: str) -> Sequence[ListedObject]:
        """Return the objects under a prefix, sorted by key."""
        return [ListedObject(key, self._modified_at[key]) for key in sorted(self._bodies) if key.startswith(prefix)]

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; one that is not there is deleted already."""
        for key in keys:
            self._bodies.pop(key, None)

    def _write(self, key: str, body: bytes) -> None:
        self._bodies[key], self._modified_at[key] = bytes(body), self.now()


class InMemoryTasks:
    """A `TaskStore` and its `TaskIndex` in a dictionary."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._lock = threading.Lock()

    def get_many(self, task_ids: Sequence[str]) -> Mapping[str, Task]:
        """Return the tasks that exist, by id."""
        return {task_id: self._tasks[task_id] for task_id in task_ids if task_id in self._tasks}

    def create(self, task: Task) -> bool:
        """Put a new task; False if a record with its id is there already."""
        with self._lock:
            return self._allows(CREATE, task) and self._put(task)

    def finish(self, task: Task) -> bool:
        """Write a final state if the record is missing, or queued in the same generation; False if it lost."""
        with self._lock:
            if not self._allows(FINISH, task):
                return False
            attempts = max(task.attempts, self._tasks.get(task.task_id, task).attempts)
            return self._put(task.model_copy(update={"attempts": attempts}))

    def record_attempt(self, task: Task) -> int | None:
        """Count a failed attempt of a task that is missing or still queued in this generation."""
        with self._lock:
            if not self._allows(FINISH, task):
                return None
            present = self._tasks.get(task.task_id, task)
            self._put(present.model_copy(update={"attempts": present.attempts + 1}))
            return present.attempts + 1

    def supersede(self, task: Task) -> bool:
        """Write a task over its failure in the generation before; False if there is another record, or none."""
        with self._lock:
            return self._allows(SUPERSEDE, task) and self._put(task)

    def list_ids(self, tenant: str, before: str | None, limit: int, match_id: str | None = None) -> IdPage:
        """Return up to `limit` ids of a tenant's tasks older than the id `before`."""
        ids = sorted(
            (
                task.task_id
                for task in self._tasks.values()
                if task.tenant == tenant
                and (before is None or task.task_id < before)
                and (match_id is None or task.match_id == match_id)
            ),
            reverse=True,
        )
        return IdPage(ids[:limit], next_before=ids[limit - 1] if len(ids) > limit else None)

    def count_open(self, tenant: str, now: datetime, most: int) -> int:
        """Return how many tasks a tenant has open, counted to `most`; redriven ones do not count."""
        tasks = [task for task in list(self._tasks.values()) if task.tenant == tenant and task.generation == 0]
        return min(most, sum(not task.status.is_final and task.open_until >= now for task in tasks))

    def _allows(self, rule: WriteRule, task: Task) -> bool:
        return rule.allows(self._tasks.get(task.task_id), task)

    def _put(self, task: Task) -> bool:
        self._tasks[task.task_id] = task
        return True


@dataclass
class InMemoryLanes:
    """A `PredictionQueue` and its `DeadLetters`, which remember what was sent, postponed and buried."""

    sent: list[tuple[Priority, str, int]] = field(default_factory=list)
    postponed: list[tuple[Priority, str, int]] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    removed: list[str] = field(default_factory=list)

    def send(self, task: Task, delay_seconds: int = 0) -> None:
        """Keep the task's message."""
        self.sent.append((task.priority, encode(task), delay_seconds))

    def retry_later(self, lane: Priority, receipt_handle: str, seconds: int) -> None:
        """Remember the delay."""
        self.postponed.append((lane, receipt_handle, seconds))

    def bury(self, lane: str, body: str, cause: str | None, task_id: str | None) -> None:  # noqa: ARG002
        """Keep the dead letter; without a cause it is one that the queue itself dead-lettered."""
        number = len(self.dead_letters)
        self.dead_letters.append(DeadLetter(lane, f"letter-{number}", f"letter-{number}", body, cause, utc_now()))

    def take(self, lane: Priority) -> Sequence[Received]:
        """Return up to ten messages of a lane that were not taken before."""
        waiting = [
            Received(f"message-{number}", f"receipt-{number}", body, sent_in)
            for number, (sent_in, body, delay_seconds) in enumerate(self.sent)
            if sent_in is lane and not delay_seconds and f"message-{number}" not in self.taken
        ]
        self.taken |= {received.message_id for received in waiting[:10]}
        return waiting[:10]

    def remove(self, lane: Priority, taken: Sequence[Received]) -> None:  # noqa: ARG002
        """Remember that messages were deleted."""
        self.removed += [received.message_id for received in taken]

    def receive(self, queue: str, hide_seconds: int) -> Generator[DeadLetter, None, None]:  # noqa: ARG002
        """Yield every letter of a queue."""
        yield from [letter for letter in self.dead_letters if letter.queue == queue]

    def release(self, *letters: DeadLetter) -> None:
        """Do nothing: here no letter is ever hidden."""

    def delete(self, letter: DeadLetter) -> None:
        """Delete a letter."""
        self.dead_letters.remove(letter)


class InMemorySpeeds(dict[Priority, float]):
    """`LaneSpeeds` in a dictionary."""

    def read(self, lane: Priority) -> float | None:
        """Return the seconds, or None where nothing is known."""
        return self.get(lane)

    def write(self, lane: Priority, seconds: float) -> None:
        """Keep the seconds."""
        self[lane] = seconds


class InMemoryKeys:
    """`IdempotencyKeys` in a dictionary."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], tuple[KeyRecord, datetime]] = {}
        self._lock = threading.Lock()

    def find(self, tenant: str, key: str, now: datetime) -> KeyRecord | None:
        """Return the record of a key that has not expired."""
        record, expires_at = self._records.get((tenant, key), (None, now))
        return record if expires_at > now else None

    def claim(self, tenant: str, key: str, record: KeyRecord, expires_at: datetime) -> bool:
        """Put a record unless the key has one that has not expired at the new one's creation; False if it has."""
        with self._lock:
            if self.find(tenant, key, record.created_at) is not None:
                return False
            self._records[tenant, key] = (record, expires_at)
            return True


class InMemoryResults:
    """A `ResultCache` in a dictionary."""

    def __init__(self) -> None:
        self._results: dict[tuple[str | None, str], tuple[Prediction, datetime]] = {}

    def find(self, match_id: str, run_id: str, now: datetime) -> Prediction | None:
        """Return a prediction that has not expired."""
        prediction, expires_at = self._results.get((match_id, run_id), (None, now))
        return prediction if expires_at > now else None

    def keep(self, prediction: Prediction, expires_at: datetime) -> None:
        """Keep a prediction of a match."""
        self._results[prediction.match_id, prediction.model.run_id] = (prediction, expires_at)


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
