"""The stream of the tasks table, and the event source mapping that hands its records to deliver_webhooks.

Each shard keeps the order of its items. A batch that fails comes again, by halves where the function itself ended; one
that was done comes again too, sometimes much later, so that records come in any order.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.faults.expressions import Item
from tests.faults.scheduler import Actor, Killed
from tests.support.template import load

if TYPE_CHECKING:
    from tests.faults.world import World

Record = dict[str, Any]
_SHARDS = 2
_MOST_RECORDS = (1, 2, 10)
_LATEST_SECONDS = 900.0
_POLL_SECONDS = 1.0
_TROUBLE_LASTS = 300.0
_FUNCTION = "deliver_webhooks"


class Stream:
    """Takes in writes, and delivers those that the mapping's filter lets through."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shards: list[list[Record]] = [[] for _ in range(_SHARDS)]
        self._readers: list[Actor] = []
        self._numbers = 0

    def start(self) -> None:
        """Start the reader of each shard."""
        begins = self._world.rng.uniform(*self._world.plot.stream_begins)
        for number, shard in enumerate(self._shards):
            self._readers.append(self._world.scheduler.start(f"stream {number + 1}", self._reader(shard), after=begins))

    def add(self, before: Item | None, image: Item) -> Record:
        """Add the record of a write, if the filter lets it through."""
        self._numbers += 1
        record = {
            "eventID": f"{self._numbers:032x}",
            "eventName": "INSERT" if before is None else "MODIFY",
            "eventSource": "aws:dynamodb",
            "dynamodb": {
                "Keys": {name: image[name] for name in ("pk", "sk")},
                "NewImage": image,
                "SequenceNumber": f"{self._numbers:021d}",
            },
        }
        if not _fits(_pattern(), record):
            return record
        number = zlib.crc32(image["pk"]["S"].encode()) % _SHARDS
        self._shards[number].append(record)
        if self._readers:
            self._world.scheduler.wake(self._readers[number], self._world.scheduler.now)
        return record

    def _reader(self, shard: list[Record]) -> Callable[[], None]:
        world, most = self._world, self._world.rng.choice(_MOST_RECORDS)

        def read() -> None:
            while True:
                if not shard:
                    world.scheduler.idle_until(float("inf"))
                    continue
                world.scheduler.pause(world.rng.uniform(0, _POLL_SECONDS))
                batch = shard[:most]
                self._deliver(batch)
                del shard[: len(batch)]
                if world.rng.random() < world.calls.weather.duplicated:
                    late = world.rng.random() ** 4 * _LATEST_SECONDS
                    world.scheduler.start("stream, again", lambda batch=batch: self._deliver(batch), after=late)  # type: ignore[misc]

        return read

    def _deliver(self, batch: Sequence[Record]) -> None:
        """Have a batch worked on until it is done."""
        left, wait = [list(batch)], 0.5
        while left:
            some = left[0]
            first = self._invoke(some)
            if first is None:
                del left[0]
                continue
            if first < 0:  # The function itself failed: bisect.
                left[:1] = [half for half in (some[: len(some) // 2], some[len(some) // 2 :]) if half]
            else:
                left[0] = some[first:]
            wait = min(60.0, wait * 2)
            self._world.scheduler.pause(self._world.rng.uniform(0, wait))

    def _invoke(self, records: Sequence[Record]) -> int | None:
        """Return the place of the first record that has to come again; None: there is none; -1: the function failed."""
        world, began = self._world, self._world.scheduler.now
        world.calls.note(f"reads {len(records)} records")
        try:
            with world.invocations.environment(_FUNCTION) as environment:
                answer = world.invocations.run(_FUNCTION, {"Records": list(records)})
        except Killed:
            return -1
        failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        if not failed:
            return None
        world.calls.note(f"records from {min(failed)} have to come again")
        if environment.trouble_at < began - _TROUBLE_LASTS and world.calls.stalled_until < began:
            world.witness.findings.needless.append("records of the stream had to come again, and nothing was wrong")
        return min(number for number, each in enumerate(records) if each["dynamodb"]["SequenceNumber"] in failed)


@cache
def _pattern() -> Any:
    events = load()["Resources"]["DeliverWebhooksFunction"]["Properties"]["Events"]
    (only,) = events["FinalStates"]["Properties"]["FilterCriteria"]["Filters"]
    return json.loads(only["Pattern"])


def _fits(pattern: Any, found: Any) -> bool:
    """Return whether a part of a record fits a pattern of an event source mapping."""
    if isinstance(pattern, dict):
        return all(_fits(inner, (found or {}).get(name)) for name, inner in pattern.items())
    return any((found is not None) is each["exists"] if isinstance(each, dict) else found == each for each in pattern)
