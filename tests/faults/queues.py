"""The queues of the simulated SQS with the template's settings, and their messages."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.support.template import load

LANES = ("high", "normal")
BATCHES = "batches"
WEBHOOKS = "webhooks"
_PREFIX = "https://sqs.us-east-1.amazonaws.com/123456789012/"


@dataclass(eq=False)
class Message:
    """A message; its attributes are as the wire has them. Groups are kept, and nothing is made of them."""

    message_id: str
    body: str
    sent_at: float
    visible_at: float
    attributes: dict[str, Any] = field(default_factory=dict)
    receives: int = 0
    group: str | None = None

    @property
    def handle(self) -> str:
        """Return the receipt of its latest receive."""
        return f"{self.message_id}/{self.receives}"

    @property
    def cause(self) -> str | None:
        """Return the cause that a letter carries; None: the queue put it there."""
        cause: str | None = self.attributes.get("cause", {}).get("StringValue")
        return cause


@dataclass
class Queue:
    """A queue, with the template's settings."""

    name: str
    visibility: float
    retention: float
    most_receives: float = math.inf
    letters: Queue | None = None
    messages: list[Message] = field(default_factory=list)


def queues(most_receives: int, most_of_batches: int) -> dict[str, Queue]:
    """Return the lanes, the queue of batches and that of webhooks, each with its dead letters."""
    lanes: dict[str, Queue] = {}
    receives = {BATCHES: most_of_batches, WEBHOOKS: 20}
    for lane in (*LANES, BATCHES, WEBHOOKS):
        dead = Queue(f"{lane}-dead", *_settings(f"{lane.title()}DeadLetterQueue"))
        visibility, retention = _settings(f"{lane.title()}Queue")
        lanes |= {
            dead.name: dead,
            lane: Queue(lane, visibility, retention, receives.get(lane, most_receives), dead),
        }
    return lanes


@cache
def _settings(resource: str) -> tuple[float, float]:
    """Return visibility and retention of a queue of the template, in seconds."""
    properties = load()["Resources"][resource]["Properties"]
    return float(properties.get("VisibilityTimeout", 30)), float(properties["MessageRetentionPeriod"])


def url(name: str) -> str:
    """Return the URL of a queue."""
    return _PREFIX + name
