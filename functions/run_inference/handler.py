"""Entry of run_inference: a receive from a queue, or a direct question."""

from __future__ import annotations

from typing import Any

from functions.run_inference.direct import answer
from functions.run_inference.receive import predict_receive
from functions.run_inference.schemas import DirectRequest
from matchcast.observability import flushed_metrics, logger


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return the failures of a receive, or the answer to a direct question."""
    with flushed_metrics():
        if "Records" in event:
            return predict_receive(event["Records"], context.get_remaining_time_in_millis)
        return answer(DirectRequest.validate_python(event))
