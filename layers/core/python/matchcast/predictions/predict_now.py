"""Answer a prediction on demand before the caller's connection is cut, or turn it into a task.

A request that may become a task sends its message first, delayed beyond the running invocation, and hands
the task to the inference, which writes the result itself. Whoever waits gets it in time or is told where
to ask; if the inference dies, the delayed message is the safety net.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from matchcast.domain.match_id import is_match_id
from matchcast.domain.prediction import Prediction
from matchcast.domain.task import Priority, Task
from matchcast.errors import DeadlineExceeded, MatchNotFound, TaskOver, Transient
from matchcast.ports import Inference
from matchcast.predictions.result_cache import CachedResults
from matchcast.tasks.accept import IdempotencyKey
from matchcast.tasks.submit import Submission, SubmitPrediction

SAFETY_NET_SECONDS = 90
"""Delay of the message of a task that an invocation works on: more than the inference may run."""


@dataclass(frozen=True, slots=True)
class Question:
    """What to predict: a match of the snapshot, or the caller's own features."""

    stage: str
    match_id: str | None = None
    features: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.match_id is not None and not is_match_id(self.match_id):
            raise MatchNotFound(f"{self.match_id!r} is no match id; ids look like e0-2024-08-16-man-united-fulham.")


class PredictNow:
    """Asks the inference once, and never waits past the deadline."""

    def __init__(
        self,
        *,
        inference: Inference,
        results: CachedResults,
        submit: Callable[[], SubmitPrediction],
        now: Callable[[], datetime],
    ) -> None:
        self._inference = inference
        self._results = results
        self._submit = submit
        self._now = now

    def __call__(self, question: Question, deadline: datetime) -> Prediction:
        """Return the prediction.

        Raises
        ------
        MatchNotFound, StageNotFound, InvalidRequest
            If there is no such match or stage, or the features do not fit the model.
        DeadlineExceeded, Transient, ModelFailed
            If there is no answer in time, or none at all.
        """
        if question.match_id is None:
            return self._ask(question, deadline)
        cached = self._results.find(question.match_id, question.stage)
        if cached is not None:
            return cached
        prediction = self._ask(question, deadline)
        self._results.keep(prediction)
        return prediction

    def as_task(self, tenant: str, question: Question, key: IdempotencyKey | None = None) -> Task:
        """Return a task for the question, in the high lane."""
        return self._submit()(tenant, _submission(question), key)[0]

    def predict_or_submit(
        self, tenant: str, question: Question, wait: timedelta, deadline: datetime, key: IdempotencyKey | None = None
    ) -> Prediction | Task:
        """Return the prediction if it is there within `wait`, else the task that becomes it."""
        if not wait:
            # Nobody waits for an invocation, so nothing holds the message back.
            return self.as_task(tenant, question, key)
        task, is_new = self._submit()(tenant, _submission(question), key, SAFETY_NET_SECONDS)
        if not is_new:
            return task
        try:
            return self._inference.run_task(task, wait_until=min(self._now() + wait, deadline))
        except (DeadlineExceeded, TaskOver, Transient):
            return task

    def model_info(self, stage: str, deadline: datetime) -> Mapping[str, Any]:
        """Return what is known of the model that a stage serves."""
        return self._inference.model_info(stage=stage, deadline=deadline)

    def _ask(self, question: Question, deadline: datetime) -> Prediction:
        return self._inference.predict(
            stage=question.stage, match_id=question.match_id, features=question.features, deadline=deadline
        )


def _submission(question: Question) -> Submission:
    return Submission(
        match_id=question.match_id, features=question.features, stage=question.stage, priority=Priority.HIGH
    )
