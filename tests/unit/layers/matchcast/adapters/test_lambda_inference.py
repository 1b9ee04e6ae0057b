"""On-demand inference by one invocation."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from matchcast.adapters.lambda_inference import LambdaInference
from matchcast.domain.prediction import Prediction, Subject
from matchcast.errors import (
    DeadlineExceeded,
    FieldError,
    InferenceUnavailable,
    InvalidRequest,
    MatchcastError,
    MatchNotFound,
    StageNotFound,
)
from matchcast.messages import ModelInfoRequest, PredictRequest, ProblemAnswer, TaskRequest
from tests.support.tasks import NOW, a_prediction, a_task

SUBJECT = Subject(match_id="e0-2026-03-07-alder-birch")


class Invoker:
    """The one call of the Lambda client that the adapter makes."""

    def __init__(self, answer: Any, *, function_error: bool = False) -> None:
        self.answer = answer
        self.function_error = function_error
        self.requests: list[dict[str, Any]] = []

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        self.requests.append({"function": FunctionName, **json.loads(Payload)})
        if isinstance(self.answer, Exception):
            raise self.answer
        failed = {"FunctionError": "Unhandled"} if self.function_error else {}
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode()), **failed}


def ask(invoker: Invoker, *, within: float = 5.0) -> Prediction:
    inference = LambdaInference(invoker, "inference", lambda: datetime.now(UTC))  # type: ignore[arg-type]
    return inference.predict("champion", SUBJECT, datetime.now(UTC) + timedelta(seconds=within))


def test_the_question_is_handed_on_with_its_deadline_and_the_answer_comes_back() -> None:
    prediction = a_prediction()
    invoker = Invoker({"prediction": prediction.model_dump(mode="json")})

    assert ask(invoker) == prediction
    (request,) = invoker.requests
    assert (request["function"], request["kind"], request["stage"]) == ("inference", "predict", "champion")
    assert datetime.fromisoformat(request["deadline"]) > datetime.now(UTC)


def test_features_of_the_caller_are_handed_on_as_they_are() -> None:
    invoker = Invoker({"prediction": a_prediction().model_dump(mode="json")})
    inference = LambdaInference(invoker, "inference", lambda: datetime.now(UTC))  # type: ignore[arg-type]

    inference.predict(
        "champion", Subject(features={"elo": 1.5, "form": None}), datetime.now(UTC) + timedelta(seconds=5)
    )

    (request,) = invoker.requests
    assert (request.get("match_id"), request["features"]) == (None, {"elo": 1.5, "form": None})


@pytest.mark.parametrize(
    "error",
    [
        MatchNotFound("no such match"),
        StageNotFound("no such stage"),
        InvalidRequest("wrong", [FieldError(pointer="/features/elo", detail="Send a number.")]),
    ],
)
def test_a_problem_of_the_inference_is_raised_as_the_same_error(error: MatchcastError) -> None:
    with pytest.raises(type(error)) as caught:
        ask(Invoker(ProblemAnswer.of(error).model_dump(mode="json", exclude_none=True)))

    assert (caught.value.detail, caught.value.errors) == (error.detail, error.errors)


def test_the_payloads_of_an_invocation_are_what_both_versions_of_a_deployment_read() -> None:
    # GIVEN a request of the caller's own features, and an error with one invalid field
    deadline = datetime(2026, 3, 1, 12, tzinfo=UTC)
    error = InvalidRequest("wrong", [FieldError(pointer="/features/elo", detail="Send a number.")])

    # WHEN they are written as JSON
    request = PredictRequest(stage="champion", features={"elo": 1.5}, deadline=deadline).model_dump(mode="json")
    problem = ProblemAnswer.of(error).model_dump(mode="json", exclude_none=True)

    # THEN the names are those that are deployed, and fields that are not set are left out of a problem
    assert request == {
        "kind": "predict",
        "stage": "champion",
        "match_id": None,
        "features": {"elo": 1.5},
        "deadline": "2026-03-01T12:00:00Z",
    }
    assert TaskRequest(message="{}").model_dump() == {"kind": "task", "message": "{}"}
    assert ModelInfoRequest(stage="champion").model_dump() == {"kind": "model_info", "stage": "champion"}
    assert problem == {
        "problem": {
            "code": "invalid-request",
            "detail": "wrong",
            "errors": [{"detail": "Send a number.", "pointer": "/features/elo"}],
        }
    }


@pytest.mark.parametrize("body", [b"", b"{", b"5", b"{}", b'{"prediction": {}}', b'{"problem": 1}', b"\xff"])
def test_an_answer_that_cannot_be_read_is_an_outage_of_the_inference(body: bytes) -> None:
    invoker = Invoker({})
    invoker.invoke = lambda **_: {"Payload": io.BytesIO(body)}  # type: ignore[method-assign]

    with pytest.raises(InferenceUnavailable):
        ask(invoker)


def test_past_the_deadline_nothing_is_invoked() -> None:
    invoker = Invoker({"prediction": {}})

    with pytest.raises(DeadlineExceeded):
        ask(invoker, within=-1)

    assert invoker.requests == []


def test_a_task_whose_time_is_over_is_known_to_be_worked_on_by_nobody() -> None:
    invoker = Invoker({"prediction": {}})
    inference = LambdaInference(invoker, "inference", lambda: NOW)  # type: ignore[arg-type]

    with pytest.raises(InferenceUnavailable):
        inference.run_task(a_task(match_id=SUBJECT.match_id), wait_until=NOW)

    assert invoker.requests == []


@pytest.mark.parametrize(
    ("answer", "function_error", "error"),
    [
        ({"errorMessage": "secret", "errorType": "KeyError"}, True, InferenceUnavailable),
        (
            ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "slow down"}}, "Invoke"),
            False,
            InferenceUnavailable,
        ),
        (ConnectTimeoutError(endpoint_url="x"), False, InferenceUnavailable),
        (ReadTimeoutError(endpoint_url="x"), False, DeadlineExceeded),
        ({"problem": {"code": "of-tomorrow", "detail": "new", "errors": []}}, False, InferenceUnavailable),
    ],
)
def test_an_inference_that_does_not_run_is_tried_once_and_shows_nothing_internal(
    answer: Any, function_error: bool, error: type[MatchcastError]
) -> None:
    invoker = Invoker(answer, function_error=function_error)

    with pytest.raises(error) as caught:
        ask(invoker)

    assert len(invoker.requests) == 1
    assert "secret" not in caught.value.detail
