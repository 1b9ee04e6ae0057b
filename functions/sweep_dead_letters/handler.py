"""Entry of sweep_dead_letters."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from matchcast.bootstrap import parts, sweeps
from matchcast.observability import logger
from matchcast.tasks.sweep import Swept

_HAND_BACK_MILLISECONDS = 45_000
"""What is left for the letters at hand, and for making all of them visible again."""


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:  # noqa: ARG001
    """Sweep once; return how many letters were seen, and how many tasks, parts and batches had not ended."""

    def has_time() -> bool:
        return bool(context.get_remaining_time_in_millis() > _HAND_BACK_MILLISECONDS)

    # Few at most, and each is a whole batch: first.
    of_batches = sweeps.sweep_batch_letters().sweep(has_time)
    of_lanes = sweeps.sweep_dead_letters().sweep(has_time)
    swept = Swept(letters=of_batches.letters + of_lanes.letters, failed=of_batches.failed + of_lanes.failed)
    logger.info("dead letters swept", extra=asdict(swept))
    return asdict(swept)


parts.make_at_init(sweeps.sweep_batch_letters, sweeps.sweep_dead_letters)
