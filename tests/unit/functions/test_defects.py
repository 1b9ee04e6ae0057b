"""A defect behind a direct invocation is told as one: a 500 without a reason, and a log for who runs the service."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto import mock_aws

from functions.predict_now.handler import lambda_handler as predict_now
from matchcast.domain.task import utc_now
from matchcast.errors import (
    InferenceUnavailable,
    MatchcastError,
    ModelUnavailable,
    RequestRefused,
    SnapshotUnavailable,
    StorageUnavailable,
)
from matchcast.predictions.predictor import Predictor
from matchcast.releases.served_models import ServedModels
from tests.support.counted_service import CLAIMS, MATCH, Service
from tests.support.documented import ask
from tests.support.http_events import Answer
from tests.support.logs import Logged, capture_logs

SECRET = "secret-bucket"
PATHS = [f"/predict/{MATCH}", "/predict/model/info"]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    for name, value in {"ACCESS_KEY_ID": "t", "SECRET_ACCESS_KEY": "t", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        yield Service(monkeypatch, capsys)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Logged:
    return capture_logs(monkeypatch)


def refused(kind: type[MatchcastError]) -> MatchcastError:
    error = kind(f"{SECRET} refused the call (AccessDenied).")
    error.is_defect = True
    return error


def answer_when(error: Exception, path: str, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Return the answer to a request for which the inference function meets an error."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Predictor, "predict_one", fail)
    monkeypatch.setattr(ServedModels, "get", fail)
    return ask(predict_now, "GET", path, claims=CLAIMS, time_epoch=int(utc_now().timestamp() * 1000))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "error",
    [
        refused(StorageUnavailable),
        refused(ModelUnavailable),
        refused(InferenceUnavailable),
        RequestRefused(f"{SECRET} refused a request as invalid (ValidationException)."),
        KeyError(SECRET),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.usefixtures("service")
def test_a_defect_of_the_inference_is_a_500_that_says_nothing_internal(
    error: Exception, path: str, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    # WHEN
    answer = answer_when(error, path, monkeypatch)

    # THEN the client is told of a fault of the service
    assert (answer.status, answer.json["type"]) == (500, "urn:matchcast:problem:internal-error")
    assert "retry-after" not in answer.headers
    assert SECRET not in answer.body.decode()

    # AND both functions log it as an error with its reason
    errors = [line for line in logged.lines if line["level"] == "ERROR" and SECRET in json.dumps(line)]
    assert [line["message"] for line in errors] == ["direct request failed", "call refused"]
    assert ("exception" in errors[0]) == isinstance(error, KeyError)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", [ModelUnavailable, SnapshotUnavailable])
@pytest.mark.usefixtures("service")
def test_a_fault_that_may_pass_is_a_503_that_says_when_to_come_back(
    kind: type[MatchcastError], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = answer_when(kind(f"{SECRET} did not answer."), path, monkeypatch)

    assert (answer.status, answer.json["type"]) == (503, f"urn:matchcast:problem:{kind.code}")
    assert answer.headers["retry-after"] == "5"
