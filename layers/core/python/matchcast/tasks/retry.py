"""Try a task again that ended without a result, as a new task."""

from __future__ import annotations

from matchcast.domain.task import Task, TaskStatus
from matchcast.errors import Conflict
from matchcast.tasks.accept import IdempotencyKey
from matchcast.tasks.submit import Submission, SubmitPrediction
from matchcast.tasks.track import TrackTasks

_RETRIABLE = (TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.EXPIRED)


class RetryTask:
    """Submits the request of an earlier task once more."""

    def __init__(self, track: TrackTasks, submit: SubmitPrediction) -> None:
        self._track = track
        self._submit = submit

    def retry(self, tenant: str, task_id: str, key: IdempotencyKey | None = None) -> tuple[Task, bool]:
        """Return the new task, which names the old one as `retry_of`, and whether this call made it.

        The old one is read once for each key: what becomes of it later changes no answer. The new one may start
        as long after its creation as the old one.

        Raises
        ------
        TaskNotFound, TaskGone
            If the old task cannot be read.
        Conflict
            If it is still queued, or succeeded.
        MatchNotFound, StageNotFound, InvalidRequest, TooManyTasks, Transient
            As for any submission.
        """
        return self._submit.submit(tenant, lambda: self._submission(tenant, task_id), key)

    def _submission(self, tenant: str, task_id: str) -> Submission:
        old = self._track.status(tenant, task_id)
        if old.status not in _RETRIABLE:
            raise Conflict(f"The task {task_id} is {old.status}; only one that ended without a result is tried again.")
        within = None if old.start_by is None else int((old.start_by - old.created_at).total_seconds())
        return Submission(
            old.subject,
            stage=old.stage,
            priority=old.priority,
            start_within=within,
            retry_of=task_id,
            callback_url=old.callback_url,
        )
