"""On-demand inference by one synchronous invocation of the inference function.

An invocation that is not answered by its deadline goes on in Lambda; its connection is cut (`timed_calls`), and nobody
reads its answer. The SDK must not retry: each of its attempts would run the model again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ReadTimeoutError
from pydantic import TypeAdapter, ValidationError

from matchcast.adapters.aws_errors import FAILURES, unavailable
from matchcast.adapters.timed_calls import OutOfTime
from matchcast.deadline import within
from matchcast.domain.prediction import Prediction, Subject
from matchcast.domain.task import Task
from matchcast.errors import DeadlineExceeded, InferenceUnavailable
from matchcast.messages import (
    TOO_LATE,
    AnyRequest,
    ModelInfo,
    ModelInfoAnswer,
    ModelInfoRequest,
    PredictionAnswer,
    PredictRequest,
    ProblemAnswer,
    TaskRequest,
    encode,
)

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

READ_TIMEOUT_SECONDS = 30
"""The client's read timeout: longer than any request waits."""

A = TypeVar("A", PredictionAnswer, ModelInfoAnswer)
_PREDICTION: TypeAdapter[PredictionAnswer | ProblemAnswer] = TypeAdapter(PredictionAnswer | ProblemAnswer)
_MODEL_INFO: TypeAdapter[ModelInfoAnswer | ProblemAnswer] = TypeAdapter(ModelInfoAnswer | ProblemAnswer)


class LambdaInference:
    """`Inference` by the function `function_name`."""

    def __init__(self, client: LambdaClient, function_name: str, now: Callable[[], datetime]) -> None:
        self._client = client
        self._function_name = function_name
        self._now = now

    def predict(self, stage: str, subject: Subject, deadline: datetime) -> Prediction:
        """Return a prediction before the deadline, with one attempt."""
        features = None if subject.features is None else dict(subject.features)
        request = PredictRequest(stage=stage, match_id=subject.match_id, features=features, deadline=deadline)
        return self._ask(request, deadline, _PREDICTION).prediction

    def run_task(self, task: Task, *, wait_until: datetime) -> Prediction:
        """Have a task predicted and its final state written; return the prediction if it comes in time."""
        request = TaskRequest(message=encode(task))
        try:
            seconds = self._seconds_until(wait_until)
        except DeadlineExceeded as error:
            raise InferenceUnavailable("There was no time left to ask the inference function.") from error
        return self._answer(request, seconds, _PREDICTION).prediction

    def model_info(self, stage: str, deadline: datetime) -> ModelInfo:
        """Return what is known of the model that a stage serves."""
        return self._ask(ModelInfoRequest(stage=stage), deadline, _MODEL_INFO).model

    def _ask(self, request: AnyRequest, deadline: datetime, answers: TypeAdapter[A | ProblemAnswer]) -> A:
        return self._answer(request, self._seconds_until(deadline), answers)

    def _seconds_until(self, deadline: datetime) -> float:
        seconds = (deadline - self._now()).total_seconds()
        if seconds <= 0:
            raise DeadlineExceeded(TOO_LATE)
        return seconds

    def _answer(self, request: AnyRequest, seconds: float, answers: TypeAdapter[A | ProblemAnswer]) -> A:
        with within(seconds):
            body = self._invoke(request)
        try:
            answer = answers.validate_json(body)
        except ValidationError as error:
            raise InferenceUnavailable("The answer of the inference function cannot be read.") from error
        if isinstance(answer, ProblemAnswer):
            raise answer.problem.error()
        return answer

    def _invoke(self, request: AnyRequest) -> bytes:
        payload = request.model_dump_json().encode()
        try:
            answer = self._client.invoke(FunctionName=self._function_name, Payload=payload)
            body = answer["Payload"].read()
        except (OutOfTime, ReadTimeoutError) as error:
            raise DeadlineExceeded(TOO_LATE) from error
        except FAILURES as error:
            raise unavailable(error, InferenceUnavailable, "The inference function") from error
        if answer.get("FunctionError"):
            raise InferenceUnavailable("The inference function failed; try again.")
        return body
