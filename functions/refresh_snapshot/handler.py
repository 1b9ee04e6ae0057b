"""Entry of refresh_snapshot: one new snapshot, on a schedule or on demand."""

from __future__ import annotations

import time
from typing import Any

from functions.refresh_snapshot.bootstrap import refresh
from functions.refresh_snapshot.schemas import RefreshAnswer
from matchcast.errors import MatchcastError
from matchcast.observability import logger


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Make and publish a snapshot, whatever the event is.

    A snapshot that is refused ends the invocation with its error, so that it is counted, alarmed on and,
    on a schedule, tried again; the last good one is served on.
    """
    started = time.perf_counter()
    try:
        manifest = refresh()()
    except MatchcastError as error:
        logger.error("snapshot refused", code=error.code, detail=error.detail)
        raise
    answer = RefreshAnswer.of(manifest, time.perf_counter() - started)
    logger.info("snapshot published", **answer.model_dump())
    return answer.model_dump(mode="json")
