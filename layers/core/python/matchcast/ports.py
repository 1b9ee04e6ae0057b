"""What the use cases need from outside, as protocols; `adapters` implements each on AWS and in memory."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from matchcast.domain.manifests import PublishedModel
from matchcast.domain.prediction import Prediction, Subject
from matchcast.domain.task import IdPage, Priority, Task
from matchcast.messages import ModelInfo

if TYPE_CHECKING:
    # Most functions are deployed without numpy.
    import numpy as np
    import numpy.typing as npt

    Rows = npt.NDArray[np.float32]
    """Feature rows, shape (n, columns of the signature)."""


class TaskStore(Protocol):
    """The tasks table. Every write is conditional: `WriteRule` says over which record each one goes.

    Every method raises StorageUnavailable if the table does not answer.
    """

    def get_many(self, task_ids: Sequence[str]) -> Mapping[str, Task]:
        """Return the tasks that exist, by id, read consistently."""

    def create(self, task: Task) -> bool:
        """Put a new task; False if a record with its id is there already."""

    def finish(self, task: Task) -> bool:
        """Write a final state if the record is missing, or queued in the same generation; False if it lost."""

    def record_attempt(self, task: Task) -> int | None:
        """Count a failed attempt of a task that is missing or still queued in this generation.

        Returns the new count, or None if the task is over. A missing record is written as queued.
        """

    def supersede(self, task: Task) -> bool:
        """Write a task over its failure in the generation before; False if there is another record, or none."""


class TaskIndex(Protocol):
    """The indexes of the tasks table. What one call reads is bounded, however many tasks a tenant has had."""

    def list_ids(self, tenant: str, before: str | None, limit: int, match_id: str | None = None) -> IdPage:
        """Return up to `limit` ids of a tenant's tasks older than the id `before`; fewer may not be all."""

    def count_open(self, tenant: str, now: datetime, most: int) -> int:
        """Return about how many tasks a tenant has open, counted to about `most`; redriven ones do not count."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What an idempotency key stands for: the task, and the fingerprint of the request that made it."""

    task_id: str
    fingerprint: str
    created_at: datetime


class IdempotencyKeys(Protocol):
    """The keys that clients sent, each kept per tenant as long as its task."""

    def find(self, tenant: str, key: str, now: datetime) -> KeyRecord | None:
        """Return the record of a key that has not expired, read consistently."""

    def claim(self, tenant: str, key: str, record: KeyRecord, expires_at: datetime) -> bool:
        """Put a record unless the key has one that has not expired at the new one's creation; False if it has."""


class ResultCache(Protocol):
    """On-demand predictions of matches, by match and run."""

    def find(self, match_id: str, run_id: str, now: datetime) -> Prediction | None:
        """Return a prediction that has not expired."""

    def keep(self, prediction: Prediction, expires_at: datetime) -> None:
        """Keep a prediction of a match."""


@dataclass(frozen=True, slots=True)
class Received:
    """One delivery of one message; `receive_count` counts its deliveries, this one included."""

    message_id: str
    receipt_handle: str
    body: str
    lane: Priority
    receive_count: int = 1


class PredictionQueue(Protocol):
    """The two lanes, high and normal, each with its dead letters.

    Every method raises QueueUnavailable if the queue does not answer.
    """

    def send(self, task: Task, delay_seconds: int = 0) -> None:
        """Send the task's message in the lane of its priority."""

    def retry_later(self, lane: Priority, receipt_handle: str, seconds: int) -> None:
        """Make a received message visible again after `seconds`."""

    def bury(self, lane: Priority, body: str, cause: str, task_id: str | None) -> None:
        """Send a message to the lane's dead letters, with its cause as an attribute."""

    def take(self, lane: Priority) -> Sequence[Received]:
        """Receive up to ten messages that wait in a lane, without waiting for any."""

    def remove(self, lane: Priority, taken: Sequence[Received]) -> None:
        """Delete messages that were taken together."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter of a queue (the name of a lane, or `batches`); without a `cause` SQS itself dead-lettered it."""

    queue: str
    message_id: str
    receipt_handle: str
    body: str
    cause: str | None
    sent_at: datetime


class DeadLetters(Protocol):
    """The dead letters of some queues."""

    def receive(self, queue: str, hide_seconds: int) -> Generator[DeadLetter, None, None]:
        """Yield every visible letter once, hiding each from other readers for a while."""

    def release(self, *letters: DeadLetter) -> None:
        """Make received letters visible to other readers again, except those that were deleted."""

    def delete(self, letter: DeadLetter) -> None:
        """Delete a received letter for good."""


class LaneSpeeds(Protocol):
    """How long tasks recently took from submission to result, lane by lane."""

    def read(self, lane: Priority) -> float | None:
        """Return the seconds, or None where nothing is known."""

    def write(self, lane: Priority, seconds: float) -> None:
        """Publish the seconds."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of the data bucket and the ETag under which it was read."""

    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object of the data bucket as a listing names it, and when it was last written."""

    key: str
    modified_at: datetime


class ObjectStore(Protocol):
    """The data bucket. Every method raises StorageUnavailable if it is missing or does not answer."""

    def get(self, key: str) -> StoredObject | None:
        """Return an object, or None where there is none."""

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """Return the object if its ETag is another one, None if it is the same; a missing object raises KeyError."""

    def put(self, key: str, body: bytes, content_type: str = "application/octet-stream") -> None:
        """Write an object, whatever was there."""

    def switch(self, key: str, body: bytes, etag: str | None) -> bool:
        """Write a manifest only over the version read as `etag` (None: only where there is none); False if it lost."""

    def list_objects(self, prefix: str) -> Sequence[ListedObject]:
        """Return the objects under a prefix, sorted by key."""


class ReleaseStore(ObjectStore, Protocol):
    """The data bucket for code that may also delete objects."""

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; one that is not there is deleted already. Where one fails, others may be deleted."""


class Model(Protocol):
    """A loaded model."""

    def predict(self, rows: Rows) -> Rows:
        """Return probabilities of home, draw and away, shape (n, 3), for feature rows of shape (n, columns)."""


class ModelLoader(Protocol):
    """Turns verified artifact bytes into a model; the one place that knows a runtime."""

    def __call__(self, published: PublishedModel, files: Mapping[str, bytes]) -> Model:
        """Load a model from its verified files.

        Raises
        ------
        ReleaseRefused
            If the artifact cannot be loaded or has other inputs than the signature.
        ModelUnavailable
            If there is no room for it at present.
        """


@dataclass(frozen=True, slots=True)
class MatchRow:
    """The features of one match in the order of a signature."""

    values: Sequence[float]
    as_of: datetime
    snapshot_id: str


class Inference(Protocol):
    """Where an on-demand prediction is computed."""

    def predict(self, stage: str, subject: Subject, deadline: datetime) -> Prediction:
        """Return a prediction before the deadline, with one attempt.

        Raises
        ------
        MatchNotFound, StageNotFound, InvalidRequest
            What the caller got wrong.
        DeadlineExceeded, Transient, ModelFailed
            What the service could not do.
        """

    def run_task(self, task: Task, *, wait_until: datetime) -> Prediction:
        """Have a task predicted and its final state written; return the prediction if it comes in time.

        The inference goes on after `wait_until`. Raises what `predict` raises; DeadlineExceeded only while the
        inference goes on, and any other error where nothing works on the task any more.
        """

    def model_info(self, stage: str, deadline: datetime) -> ModelInfo:
        """Return what is known of the model that a stage serves."""
