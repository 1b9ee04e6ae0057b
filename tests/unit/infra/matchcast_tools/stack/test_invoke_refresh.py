"""Asking a stack for a snapshot: its answer, or its error in words."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from matchcast.errors import PredictionsPending, ReleaseRaceLost, ReleaseRefused, StorageUnavailable
from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.stack.deployed import Stack
from matchcast_tools.stack.invoke_refresh import MOST_RUNS, invoke_refresh
from tests.support.lambda_client import HandlerClient

ANSWER = {"snapshot_id": "s", "model": "matchcast 1", "rows": {}, "seconds": 1.0}


@dataclass
class Session:
    """A session whose only client runs a handler."""

    lambda_client: Any

    def client(self, service_name: str, **options: Any) -> Any:
        assert service_name == "lambda"
        # Else the SDK would run the function again after a timeout.
        assert options["config"].retries == {"total_max_attempts": 1}
        assert options["config"].read_timeout > 900
        return self.lambda_client


def stack(client: Any) -> Stack:
    return Stack("test", "us-east-1", "http://api", None, {"RefreshSnapshotFunctionName": "refresh"}, Session(client))


def failing(error: Exception) -> HandlerClient:
    def handler(event: Any, context: Any) -> Any:
        raise error

    return HandlerClient(handler)


def test_returns_what_the_function_answers() -> None:
    client = HandlerClient(lambda event, _: ANSWER if event == {} else None)
    assert invoke_refresh(stack(client)) == ANSWER
    assert client.invoked == ["refresh"]


def test_runs_the_function_again_while_a_batch_makes_the_predictions() -> None:
    # GIVEN a function whose batch ends during its third run
    answers = [{"pending": "The batch has made 1 of 3 predictions.", "seconds": 660.0}] * 2 + [ANSWER]
    client = HandlerClient(lambda _event, _: answers[len(client.invoked) - 1])
    # THEN
    assert invoke_refresh(stack(client)) == ANSWER
    assert client.invoked == ["refresh"] * 3


def test_a_batch_that_takes_hours_is_reported() -> None:
    client = HandlerClient(lambda _event, _: {"pending": "The batch has made 1 of 3 predictions.", "seconds": 660.0})
    with pytest.raises(PredictionsPending, match="has made 1 of 3"):
        invoke_refresh(stack(client))
    assert len(client.invoked) == MOST_RUNS


@pytest.mark.parametrize("error", [ReleaseRefused("No."), ReleaseRaceLost("Late."), StorageUnavailable("Away.")])
def test_raises_the_error_of_the_product_that_the_function_raised(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)):
        invoke_refresh(stack(failing(error)))


@pytest.mark.parametrize("error", [ValueError("odd"), MemoryError(), SystemError("x")])
def test_any_other_error_is_reported_with_its_name(error: Exception) -> None:
    with pytest.raises(EnvironmentProblem, match=f"refresh failed: {type(error).__name__}"):
        invoke_refresh(stack(failing(error)))


def test_a_function_that_was_killed_is_reported() -> None:
    class Killed:
        def invoke(self, **_: Any) -> dict[str, Any]:
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorMessage": "Task timed out"}')}

    with pytest.raises(EnvironmentProblem, match="Task timed out"):
        invoke_refresh(stack(Killed()))


def test_a_stack_out_of_reach_says_what_to_check() -> None:
    class Away:
        def invoke(self, **_: Any) -> dict[str, Any]:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    with pytest.raises(EnvironmentProblem, match="Check that the stack is up"):
        invoke_refresh(stack(Away()))


def test_a_template_without_the_output_is_reported() -> None:
    with pytest.raises(EnvironmentProblem, match="RefreshSnapshotFunctionName"):
        invoke_refresh(Stack("test", "us-east-1", "http://api", None, {}, Session(None)))
