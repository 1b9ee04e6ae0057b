"""Answer a prediction on demand before the caller's connection is cut, or turn it into a task.

A request that may become a task sends its message first, delayed beyond the running invocation, and hands
the task to the inference, which writes the result itself. A waiting client gets the result in time, or a 202
that says where to ask; if the inference dies, the delayed message is the safety net. Where it is known that nothing
works on the task, because the inference was not asked or gave up, the message is sent again, without a delay.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from matchcast.domain.prediction import Prediction, Subject
from matchcast.domain.task import Priority, Task
from matchcast.errors import DeadlineExceeded, MatchcastError
from matchcast.messages import ModelInfo
from matchcast.ports import Inference
from matchcast.predictions.result_cache import CachedResults
from matchcast.tasks.accept import IdempotencyKey
from matchcast.tasks.submit import Submission, SubmitPrediction

SAFETY_NET_SECONDS = 90
"""Delay of the message of a task that an invocation works on: more than the inference may run."""


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

    def predict(self, stage: str, subject: Subject, deadline: datetime) -> Prediction:
        """Return the prediction.

        Raises
        ------
        MatchNotFound, StageNotFound, InvalidRequest
            If there is no such match or stage, or the features do not fit the model.
        DeadlineExceeded, Transient, ModelFailed
            If there is no answer in time, or none at all.
        """
        if subject.match_id is None:
            return self._inference.predict(stage, subject, deadline)
        cached = self._results.find(subject.match_id, stage)
        if cached is not None:
            return cached
        prediction = self._inference.predict(stage, subject, deadline)
        self._results.keep(prediction)
        return prediction

    def predict_or_submit(
        self,
        tenant: str,
        stage: str,
        subject: Subject,
        *,
        wait_until: datetime | None,
        key: IdempotencyKey | None = None,
    ) -> tuple[Prediction | Task, bool]:
        """Return the prediction if it is there in time, else the task that becomes it, in the high lane.

        The other value tells whether the task is new, or one that an earlier request with the key was given.

        Once the task is accepted nothing else is answered: why it has no prediction, the task itself says.
        """
        submission = Submission(subject, stage, Priority.HIGH)
        if wait_until is None:
            # No client waits for an invocation, so nothing holds the message back.
            return self._submit().submit(tenant, submission, key)
        # A repeated request waits like the first: computing twice changes nothing, for one final write wins.
        task, is_new = self._submit().submit(tenant, submission, key, SAFETY_NET_SECONDS)
        if task.status.is_final:
            return task.result or task, is_new
        try:
            return self._inference.run_task(task, wait_until=wait_until), is_new
        except MatchcastError as error:
            # A fault of the client has ended the task already.
            if is_new and error.status >= 500 and not isinstance(error, DeadlineExceeded):
                self._submit().hurry(task)
            return task, is_new

    def has_stage(self, stage: str) -> bool:
        """Tell whether a stage is published; False where the manifest cannot be read."""
        return self._results.has_stage(stage)

    def model_info(self, stage: str, deadline: datetime) -> ModelInfo:
        """Return what is known of the model that a stage serves."""
        return self._inference.model_info(stage, deadline)
