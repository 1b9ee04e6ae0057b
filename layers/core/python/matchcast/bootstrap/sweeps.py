"""The sweeps of dead letters, of sweep_dead_letters."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from matchcast.adapters.sqs_dead_letters import SQSDeadLetters
from matchcast.batch_messages import QUEUE
from matchcast.batches.sweep import LostParts, SweepBatchLetters
from matchcast.bootstrap import batch_storage, parts, table
from matchcast.domain.task import utc_now
from matchcast.settings import SweepDeadLettersSettings
from matchcast.tasks.sweep import SweepDeadLetters

_CALLS_AT_ONCE = 16


@cache
def sweep_dead_letters() -> SweepDeadLetters:
    """Return what fails the tasks of letters, and has lost parts ended."""
    queues = parts.dead_letter_queues(SweepDeadLettersSettings())
    letters = SQSDeadLetters(_sqs(), queues, calls_at_once=_CALLS_AT_ONCE)
    threads = ThreadPoolExecutor(_CALLS_AT_ONCE, thread_name_prefix="writes")
    lost = LostParts(batch_storage.records(), batch_storage.queue(), utc_now)
    return SweepDeadLetters(letters, table.counted_tasks(), utc_now, threads, lose_parts=lost.lose)


@cache
def sweep_batch_letters() -> SweepBatchLetters:
    """Return what fails the batches of letters."""
    queues = {QUEUE: SweepDeadLettersSettings().batches_dead_letter_queue_url}
    return SweepBatchLetters(SQSDeadLetters(_sqs(), queues), batch_storage.records(), utc_now)


@cache
def _sqs() -> Any:
    return parts.client("sqs")
