"""Factories of tasks, predictions and deliveries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from matchcast.domain.prediction import ModelRef, Prediction
from matchcast.domain.task import Priority, Task, new_task_id
from matchcast.messages import encode
from matchcast.ports import Received

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
MODEL = ModelRef(name="matchcast", version="3", stage="champion", run_id="run-3")


def a_task(**changes: Any) -> Task:
    """Return a queued task of tenant `north`."""
    created_at = changes.pop("created_at", NOW)
    fields: dict[str, Any] = {
        "task_id": new_task_id(created_at),
        "tenant": "north",
        "match_id": "e0-2026-03-07-alder-birch",
        "created_at": created_at,
        "expires_at": created_at + timedelta(days=1),
    }
    return Task(**{**fields, **changes})


def a_prediction(**changes: Any) -> Prediction:
    """Return a prediction whose probabilities are no short decimals."""
    fields: dict[str, Any] = {
        "match_id": "e0-2026-03-07-alder-birch",
        "home": 1 / 3,
        "draw": 2 / 7,
        "away": 1 - 1 / 3 - 2 / 7,
        "model": MODEL,
        "features_as_of": NOW - timedelta(days=2),
        "snapshot_id": "20260301T000000Z-0a1b2c3d",
        "predicted_at": NOW,
        "duration_ms": 0.1,
    }
    return Prediction(**{**fields, **changes})


def a_delivery(task: Task | str, lane: Priority = Priority.NORMAL, number: int = 1) -> Received:
    """Return a delivery of a task's message, or of any body."""
    body = task if isinstance(task, str) else encode(task)
    return Received(message_id=f"message-{number}", receipt_handle=f"receipt-{number}", body=body, lane=lane)
