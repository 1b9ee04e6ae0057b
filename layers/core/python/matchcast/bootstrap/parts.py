"""Parts that any function may need: SDK clients, the clock, the queues of the lanes and of their dead letters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

from matchcast.adapters.aws_errors import refuse_unreadable
from matchcast.adapters.timed_calls import MOST_CALLS, timed
from matchcast.domain.task import Priority, utc_now
from matchcast.settings import DeadLetterSettings, QueueSettings, is_on_lambda

now = utc_now
"""The clock of every function."""


def make_at_init(*factories: Callable[[], object]) -> None:
    """Make parts while Lambda initialises an environment; a handler's module ends with this.

    Initialisation has a whole processor, an invocation only what its memory buys (0.29 of one for 512 MB), and to
    load the SDK's service models takes longer than the work of a request. Elsewhere (tests, the OpenAPI document)
    nothing is made: there is no function whose settings could be read.
    """
    if is_on_lambda():
        for make in factories:
            make()


def client(service: str, **config: Any) -> Any:
    """Return an SDK client with short timeouts, three attempts in all, and room for parallel writes.

    Within a request that has a deadline its calls end with that.
    """
    options: dict[str, Any] = {
        "connect_timeout": 2,
        "read_timeout": 5,
        "retries": {"mode": "standard", "total_max_attempts": 3},
        "max_pool_connections": MOST_CALLS,
        "tcp_keepalive": True,
        **config,
    }
    made: Any = boto3.client(service, config=Config(**options))  # type: ignore[call-overload]
    made.meta.events.register("before-parse", refuse_unreadable)
    return timed(made)


def queues(settings: QueueSettings) -> dict[Priority, str]:
    """Return the queue of each lane."""
    return {Priority.HIGH: settings.high_queue_url, Priority.NORMAL: settings.normal_queue_url}


def dead_letter_queues(settings: DeadLetterSettings) -> dict[Priority, str]:
    """Return the queue of each lane's dead letters."""
    return {Priority.HIGH: settings.high_dead_letter_queue_url, Priority.NORMAL: settings.normal_dead_letter_queue_url}
