"""Ask a stack for a new snapshot now, as its schedule would."""

from __future__ import annotations

import json
from typing import Any

import matchcast.errors
from matchcast.errors import MatchcastError, PredictionsPending, ReleaseRefused, Transient
from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.stack.deployed import Stack

READ_SECONDS = 905
"""A little longer than the function may run."""
MOST_RUNS = 8
"""Runs that wait for the batch of a large snapshot: two hours."""


def invoke_refresh(stack: Stack) -> dict[str, Any]:
    """Have a snapshot made, and return the answer: `snapshot_id`, `model`, `bookmaker`, `rows`, `seconds`.

    `refresh_snapshot` is run again as long as a batch is making its predictions.

    Raises
    ------
    MatchcastError
        The function's own error, if it refused the snapshot; `PredictionsPending` if the batch takes hours.
    EnvironmentProblem
        If it could not be run, or failed in another way.
    """
    name = stack.output("RefreshSnapshotFunctionName")
    for _ in range(MOST_RUNS):
        answer = _run(stack, name)
        if "pending" not in answer:
            return answer
    raise PredictionsPending(str(answer["pending"]))


def _run(stack: Stack, name: str) -> dict[str, Any]:
    """Run the function once and return its answer."""
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    # One attempt: a client that retries after a timeout would run the function again.
    config = Config(read_timeout=READ_SECONDS, retries={"total_max_attempts": 1})
    try:
        answer = stack.client("lambda", config=config).invoke(FunctionName=name, Payload=b"{}")
        content = json.loads(answer["Payload"].read() or b"null")
    except (BotoCoreError, ClientError, ValueError) as error:
        raise EnvironmentProblem(
            f"The function {name} of the stack {stack.name} could not be run ({error}). Check that the stack is up "
            "and that the credentials may invoke it."
        ) from error
    if answer.get("FunctionError"):
        raise _error_of(name, content if isinstance(content, dict) else {})
    return dict(content)


def _error_of(name: str, content: dict[str, Any]) -> MatchcastError:
    """Return the product's error that the function raised; any other becomes an `EnvironmentProblem`."""
    message = str(content.get("errorMessage") or "no message")
    kind = getattr(matchcast.errors, str(content.get("errorType", "")), None)
    if isinstance(kind, type) and issubclass(kind, ReleaseRefused | Transient):
        return kind(message)
    return EnvironmentProblem(
        f"The function {name} failed: {content.get('errorType', 'Error')}: {message}. Its log says more; "
        "the last good snapshot keeps serving."
    )
