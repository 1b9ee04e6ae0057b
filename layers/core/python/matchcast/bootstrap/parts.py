"""Parts that any function may need: SDK clients, the clock, the queues of the lanes and of their dead letters."""

from __future__ import annotations

from typing import Any

from matchcast.domain.task import Priority, utc_now
from matchcast.settings import DeadLetterSettings, QueueSettings

now = utc_now
"""The clock of every function."""


def client(service: str, **config: Any) -> Any:
    """Return an SDK client with short timeouts, three attempts in all, and room for parallel writes."""
    import boto3
    from botocore.config import Config

    options: dict[str, Any] = {
        "connect_timeout": 2,
        "read_timeout": 5,
        "retries": {"mode": "standard", "total_max_attempts": 3},
        "max_pool_connections": 64,
        "tcp_keepalive": True,
        **config,
    }
    return boto3.client(service, config=Config(**options))  # type: ignore[call-overload]


def queues(settings: QueueSettings) -> dict[Priority, str]:
    """Return the queue of each lane."""
    return {Priority.HIGH: settings.high_queue_url, Priority.NORMAL: settings.normal_queue_url}


def dead_letter_queues(settings: DeadLetterSettings) -> dict[Priority, str]:
    """Return the queue of each lane's dead letters."""
    return {Priority.HIGH: settings.high_dead_letter_queue_url, Priority.NORMAL: settings.normal_dead_letter_queue_url}
