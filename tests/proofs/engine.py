"""The engine alone for a proof: the template's table and dead-letter queues, and a meter of what a client reads."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.config import Config

from matchcast.domain.task import Priority
from matchcast_tools.laptop.ending import stop_engine
from matchcast_tools.laptop.engine import start_engine
from matchcast_tools.laptop.state import Folder
from matchcast_tools.stack.sessions import laptop_session
from tests.support.template import load

UNIT = 4096
"""Bytes of a read unit; an eventually consistent one costs half."""


@dataclass(frozen=True)
class Storage:
    """Clients of the engine, and the names of what was made in it."""

    dynamodb: Any
    sqs: Any
    table: str
    dead_letters: dict[Priority, str]
    shards: int


@contextmanager
def storage() -> Iterator[Storage]:
    """Start an engine, and make the table and the dead-letter queues of the template in it."""
    template = load()
    with tempfile.TemporaryDirectory(prefix="matchcast-proof-") as scratch:
        folder = Folder(Path(scratch))
        # Kept by its name: an engine that nobody holds any more ends.
        engine = start_engine(folder)
        session = laptop_session(engine.port)
        config = Config(max_pool_connections=64, read_timeout=60)
        try:
            dynamodb, sqs = session.client("dynamodb", config=config), session.client("sqs", config=config)
            wanted = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
            properties = template["Resources"]["TasksTable"]["Properties"]
            dynamodb.create_table(TableName="tasks", **{name: properties[name] for name in wanted})
            queues = {lane: sqs.create_queue(QueueName=f"{lane}-dead-letters")["QueueUrl"] for lane in Priority}
            yield Storage(dynamodb, sqs, "tasks", queues, template["Parameters"]["TenantShards"]["Default"])
        finally:
            stop_engine(folder)


@dataclass
class Meter:
    """What a client reads, and the processor time that it takes to ask and to understand the answers.

    Read units are computed by DynamoDB's rule from the sizes of what it looked at; a local engine has no real ones.
    """

    client: Any
    entry_bytes: dict[str, int]
    figures: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        events = self.client.meta.events
        events.register("provide-client-params.dynamodb.Query", self._asked)
        events.register("after-call.dynamodb.Query", self._queried)
        events.register("after-call.dynamodb.BatchGetItem", self._got)

    @contextmanager
    def measure(self, times: int = 1) -> Iterator[dict[str, float]]:
        """Measure the block, which does something so many `times`; the figures are those of one time."""
        self.figures = dict.fromkeys(("calls", "entries", "items", "read_units", "cpu_ms"), 0.0)
        measured = self.figures
        started = time.process_time()
        yield measured
        measured["cpu_ms"] = (time.process_time() - started) * 1000
        for name in measured:
            measured[name] = round(measured[name] / times, 2)

    def _asked(self, params: dict[str, Any], **_: Any) -> None:
        self._index = params["IndexName"]

    def _queried(self, parsed: dict[str, Any], **_: Any) -> None:
        size = parsed["ScannedCount"] * self.entry_bytes[self._index]
        self._add(calls=1, entries=parsed["ScannedCount"], read_units=max(1, -(-size // UNIT)) / 2)

    def _got(self, parsed: dict[str, Any], **_: Any) -> None:
        items = [item for found in parsed["Responses"].values() for item in found]
        self._add(calls=1, items=len(items), read_units=sum(-(-item_bytes(item) // UNIT) for item in items))

    def _add(self, **amounts: float) -> None:
        for name, amount in amounts.items():
            self.figures[name] = self.figures.get(name, 0) + amount


def item_bytes(item: dict[str, Any]) -> int:
    """Return the size of an item of texts and numbers: its names and values."""
    return sum(len(name) + len(str(next(iter(value.values())))) for name, value in item.items())
