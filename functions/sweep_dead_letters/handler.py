"""Entry of sweep_dead_letters."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from matchcast.bootstrap import parts, tasks
from matchcast.observability import logger

_HAND_BACK_MILLISECONDS = 45_000
"""What is left for the letters at hand, and for making all of them visible again."""


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:  # noqa: ARG001
    """Sweep once; return how many letters were seen and how many tasks failed."""
    sweep = tasks.sweep_dead_letters().sweep
    swept = asdict(sweep(lambda: context.get_remaining_time_in_millis() > _HAND_BACK_MILLISECONDS))
    logger.info("dead letters swept", extra=swept)
    return swept


parts.make_at_init(tasks.sweep_dead_letters)
