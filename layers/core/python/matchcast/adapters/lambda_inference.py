"""On-demand inference by one synchronous invocation of the inference function.

Each invocation runs in a thread of its own, so that the caller is answered at its deadline whatever the network does,
and what an earlier caller no longer waits for holds up no later one: a function's environment serves one request at
a time, but an abandoned invocation goes on until it is answered or its connection times out. That bounds how many
there are; an environment that is frozen meanwhile finds the answer, or a dead connection, when it goes on, and nobody
reads either. The SDK must not retry: each of its attempts would run the model again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from matchcast.adapters.aws_errors import unavailable
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
"""How long an invocation lasts that nobody waits for: the client's read timeout."""
MOST_INVOCATIONS = 64
"""At most so many at once, and as many connections. A request waits for a second at least, or to its deadline, so
abandoned ones are about as many as the seconds of the read timeout."""


class LambdaInference:
    """`Inference` by the function `function_name`."""

    def __init__(self, client: LambdaClient, function_name: str, now: Callable[[], datetime]) -> None:
        self._client = client
        self._function_name = function_name
        self._now = now
        self._free = threading.BoundedSemaphore(MOST_INVOCATIONS)

    def predict(self, stage: str, subject: Subject, deadline: datetime) -> Prediction:
        """Return a prediction before the deadline, with one attempt."""
        features = None if subject.features is None else dict(subject.features)
        request = PredictRequest(stage=stage, match_id=subject.match_id, features=features, deadline=deadline)
        return PredictionAnswer.model_validate(self._ask(request, deadline)).prediction

    def run_task(self, task: Task, *, wait_until: datetime) -> Prediction:
        """Have a task predicted and its final state written; return the prediction if it comes in time."""
        return PredictionAnswer.model_validate(self._ask(TaskRequest(message=encode(task)), wait_until)).prediction

    def model_info(self, stage: str, deadline: datetime) -> ModelInfo:
        """Return what is known of the model that a stage serves."""
        return ModelInfoAnswer.model_validate(self._ask(ModelInfoRequest(stage=stage), deadline)).model

    def _ask(self, request: AnyRequest, deadline: datetime) -> dict[str, Any]:
        remaining = (deadline - self._now()).total_seconds()
        if remaining <= 0:
            raise DeadlineExceeded(TOO_LATE)
        if not self._free.acquire(blocking=False):
            raise InferenceUnavailable(f"{MOST_INVOCATIONS} invocations that nobody waits for have not ended yet.")
        answer: Future[dict[str, Any]] = Future()
        threading.Thread(target=self._answer, args=(request, answer), name="inference", daemon=True).start()
        try:
            return answer.result(timeout=remaining)
        except TimeoutError as error:
            raise DeadlineExceeded(TOO_LATE) from error

    def _answer(self, request: AnyRequest, answer: Future[dict[str, Any]]) -> None:
        try:
            try:
                content = self._invoke(request)
            finally:
                # Free before the answer is there: the next request may come at once.
                self._free.release()
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is waited for
            answer.set_exception(error)
        else:
            answer.set_result(content)

    def _invoke(self, request: AnyRequest) -> dict[str, Any]:
        payload = request.model_dump_json().encode()
        try:
            answer = self._client.invoke(FunctionName=self._function_name, Payload=payload)
            content: dict[str, Any] = json.loads(answer["Payload"].read())
        except ReadTimeoutError as error:
            raise DeadlineExceeded(TOO_LATE) from error
        except (ClientError, BotoCoreError) as error:
            raise unavailable(error, InferenceUnavailable, "The inference function") from error
        if answer.get("FunctionError"):
            raise InferenceUnavailable("The inference function failed; try again.")
        if "problem" in content:
            raise ProblemAnswer.model_validate(content).problem.error()
        return content
