"""Accept a prediction for later: the message first, then the record, then the answer.

A crash in between leaves a message whose result is written without a record (the worker's final write
creates it) and a client that saw no 202. A worker that is faster than the record is fine: the put loses.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from matchcast.domain.manifests import ModelManifest
from matchcast.domain.task import Priority, Task, new_task_id
from matchcast.errors import FieldError, InvalidRequest, MatchNotFound, StageNotFound
from matchcast.ports import PredictionQueue, TaskStore
from matchcast.use_cases.releases import ManifestReader


@dataclass(frozen=True, slots=True)
class Submission:
    """What a client asks for: a match of the snapshot, or its own features."""

    match_id: str | None = None
    features: Mapping[str, Any] | None = None
    stage: str = "champion"
    priority: Priority = Priority.NORMAL
    start_within: int | None = None


class SubmitPrediction:
    """Checks a submission, sends its message and records its task."""

    def __init__(
        self,
        *,
        tasks: TaskStore,
        lanes: PredictionQueue,
        models: ManifestReader[ModelManifest],
        matches: Container[str],
        now: Callable[[], datetime],
        lifetime: timedelta,
    ) -> None:
        self._tasks = tasks
        self._lanes = lanes
        self._models = models
        self._matches = matches
        self._now = now
        self._lifetime = lifetime

    def __call__(self, tenant: str, submission: Submission) -> Task:
        """Return the accepted task.

        Raises
        ------
        StageNotFound, MatchNotFound, InvalidRequest
            What can be told before the task runs is told now.
        QueueUnavailable, StorageUnavailable
            The task was not accepted.
        """
        self._check(submission)
        now = self._now()
        within = submission.start_within
        task = Task(
            task_id=new_task_id(now),
            tenant=tenant,
            match_id=submission.match_id,
            features=None if submission.features is None else dict(submission.features),
            stage=submission.stage,
            priority=submission.priority,
            created_at=now,
            start_by=None if within is None else now + timedelta(seconds=within),
            expires_at=now + self._lifetime,
        )
        self._lanes.send(task)
        self._tasks.create(task)
        return task

    def _check(self, submission: Submission) -> None:
        published = self._models.current().stages.get(submission.stage)
        if published is None:
            raise StageNotFound(f"No model is published under the stage {submission.stage!r}.")
        if submission.features is not None:
            published.signature.row(submission.features)
        elif submission.match_id not in self._matches:
            raise MatchNotFound(f"No match of the snapshot has the id {submission.match_id}.")
        if submission.start_within is not None and submission.start_within > self._lifetime.total_seconds():
            raise InvalidRequest(
                "The task would expire before it had to start.",
                [FieldError(pointer="/start_within", detail=f"At most {int(self._lifetime.total_seconds())} seconds.")],
            )
