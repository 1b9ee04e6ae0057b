"""On-demand inference by one synchronous invocation of the inference function.

The invocation runs in a thread, so that the caller is answered at its deadline whatever the network does.
The SDK must not retry: each of its attempts would run the model again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from matchcast.adapters.aws_errors import error_code
from matchcast.domain.prediction import Prediction
from matchcast.domain.task import Task
from matchcast.errors import DeadlineExceeded, FieldError, InferenceUnavailable, MatchcastError
from matchcast.messages import encode

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

TOO_LATE = "The prediction did not finish in time; ask again, or submit it to /predict/async/."


class LambdaInference:
    """`Inference` by the function `function_name`."""

    def __init__(
        self, client: LambdaClient, function_name: str, threads: Executor, now: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._function_name = function_name
        self._threads = threads
        self._now = now

    def predict(
        self, *, stage: str, match_id: str | None, features: Mapping[str, Any] | None, deadline: datetime
    ) -> Prediction:
        """Return a prediction before the deadline, with one attempt."""
        request = {
            "kind": "predict",
            "stage": stage,
            "match_id": match_id,
            "features": features,
            "deadline": deadline.isoformat(),
        }
        return Prediction.model_validate(self._ask(request, deadline)["prediction"])

    def run_task(self, task: Task, *, wait_until: datetime) -> Prediction:
        """Have a task predicted and its final state written; return the prediction if it comes in time."""
        answer = self._ask({"kind": "task", "message": encode(task)}, wait_until)
        return Prediction.model_validate(answer["prediction"])

    def model_info(self, *, stage: str, deadline: datetime) -> Mapping[str, Any]:
        """Return what is known of the model that a stage serves."""
        info: Mapping[str, Any] = self._ask({"kind": "model_info", "stage": stage}, deadline)["model"]
        return info

    def _ask(self, request: dict[str, Any], deadline: datetime) -> dict[str, Any]:
        remaining = (deadline - self._now()).total_seconds()
        if remaining <= 0:
            raise DeadlineExceeded(TOO_LATE)
        future = self._threads.submit(self._invoke, request)
        try:
            return future.result(timeout=remaining)
        except TimeoutError as error:
            raise DeadlineExceeded(TOO_LATE) from error

    def _invoke(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self._client.invoke(FunctionName=self._function_name, Payload=json.dumps(request).encode())
            content: dict[str, Any] = json.loads(answer["Payload"].read())
        except ReadTimeoutError as error:
            raise DeadlineExceeded(TOO_LATE) from error
        except (ClientError, BotoCoreError) as error:
            reason = error_code(error) or type(error).__name__
            raise InferenceUnavailable(f"The inference function did not run ({reason}); try again.") from error
        if answer.get("FunctionError"):
            raise InferenceUnavailable("The inference function failed; try again.")
        if "problem" in content:
            raise _error_of(content["problem"])
        return content


def problem_of(error: MatchcastError) -> dict[str, Any]:
    """Return an error as the inference function hands it back."""
    return {"code": error.code, "detail": error.detail, "errors": [field.as_dict() for field in error.errors]}


def _error_of(problem: dict[str, Any]) -> MatchcastError:
    """Return the error that `problem_of` described."""
    error_type = next((kind for kind in _kinds(MatchcastError) if kind.code == problem["code"]), InferenceUnavailable)
    return error_type(problem["detail"], [FieldError(**field) for field in problem["errors"]])


def _kinds(base: type[MatchcastError]) -> Iterator[type[MatchcastError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)
