"""Accept a prediction for later."""

from __future__ import annotations

from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from matchcast.domain.manifests import ModelManifest
from matchcast.domain.prediction import Subject
from matchcast.domain.task import Priority, Task
from matchcast.echo import quoted
from matchcast.errors import FieldError, InvalidRequest, MatchcastError, MatchNotFound, StageNotFound
from matchcast.releases.readers import ManifestReader, has_stage
from matchcast.tasks.accept import AcceptTask, IdempotencyKey
from matchcast.tasks.open_tasks import OpenTasks


@dataclass(frozen=True, slots=True)
class Submission:
    """A request for a task: what to predict, by which stage's model, in which lane and how soon.

    `start_within` is in seconds; `retry_of` is the id of an earlier task with the same request. Whoever sets
    `callback_url` has checked it.
    """

    subject: Subject
    stage: str = "champion"
    priority: Priority = Priority.NORMAL
    start_within: int | None = None
    retry_of: str | None = None
    callback_url: str | None = None


class SubmitPrediction:
    """Checks a submission and has its task accepted."""

    def __init__(
        self,
        *,
        accept: AcceptTask,
        models: ManifestReader[ModelManifest],
        matches: Container[str],
        open_tasks: OpenTasks,
        lifetime: timedelta,
    ) -> None:
        self._accept = accept
        self._models = models
        self._matches = matches
        self._open_tasks = open_tasks
        self._lifetime = lifetime

    def submit(
        self,
        tenant: str,
        submission: Submission | Callable[[], Submission],
        key: IdempotencyKey | None = None,
        delay_seconds: int = 0,
    ) -> tuple[Task, bool]:
        """Return the accepted task, and whether this call sent it (or an earlier one with the same key).

        A submission that has to be found first is found only if no earlier call with the key was accepted.

        Raises
        ------
        StageNotFound, MatchNotFound, InvalidRequest
            If the task could only fail.
        TooManyTasks
            If the tenant has as many open tasks as it may have.
        QueueUnavailable, StorageUnavailable
            The task was not accepted.
        """

        def make(task_id: str, created_at: datetime) -> Task:
            asked = submission if isinstance(submission, Submission) else submission()
            self._check(asked)
            self._open_tasks.check(tenant, asked.priority)
            subject, within = asked.subject, asked.start_within
            return Task(
                task_id=task_id,
                tenant=tenant,
                match_id=subject.match_id,
                features=None if subject.features is None else dict(subject.features),
                stage=asked.stage,
                priority=asked.priority,
                created_at=created_at,
                start_by=None if within is None else created_at + timedelta(seconds=within),
                expires_at=created_at + self._lifetime,
                retry_of=asked.retry_of,
                callback_url=asked.callback_url,
            )

        return self._accept.accept(tenant, make, key, delay_seconds)

    def hurry(self, task: Task) -> None:
        """Send the message of an accepted task again, without a delay; if that fails, its first one will come."""
        with suppress(MatchcastError):
            self._accept.send_again(task)

    def has_stage(self, stage: str) -> bool:
        """Tell whether a stage is published; False where the manifest cannot be read."""
        return has_stage(self._models, stage)

    def _check(self, submission: Submission) -> None:
        published = self._models.current().stages.get(submission.stage)
        if published is None:
            raise StageNotFound(f"No model is published under the stage {quoted(submission.stage)}.")
        subject = submission.subject
        if subject.features is not None:
            published.signature.row(subject.features)
        elif subject.match_id not in self._matches:
            raise MatchNotFound(f"No match of the snapshot has the id {quoted(str(subject.match_id))}.")
        if submission.start_within is not None and submission.start_within > self._lifetime.total_seconds():
            raise InvalidRequest(
                "The task would expire before it had to start.",
                [FieldError(pointer="/start_within", detail=f"At most {int(self._lifetime.total_seconds())} seconds.")],
            )
