"""Reads of many items, of which DynamoDB leaves some out: asked again with growing waits, within a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from matchcast.adapters import backoff
from matchcast.adapters.backoff import PATIENCE_SECONDS
from matchcast.adapters.batch_reads import BatchReads
from matchcast.errors import StorageUnavailable

KEYS = [{"pk": {"S": f"item-{number}"}, "sk": {"S": "item"}} for number in range(250)]


class Longest:
    """A generator of random numbers that always draws the longest wait."""

    @staticmethod
    def uniform(_: float, longest: float) -> float:
        return longest


@dataclass
class Busy:
    """A table that leaves all items but the first of a read out, so many times; and a clock that only waits move."""

    table: str
    times: int
    asked: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    consistent: set[bool] = field(default_factory=set)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.client = boto3.client("dynamodb")
        # Of the answer of the service itself, before the SDK hands it over.
        self.client.meta.events.register("provide-client-params.dynamodb.BatchGetItem", self.note)
        self.client.meta.events.register("after-call.dynamodb.BatchGetItem", self.leave_out)

    def note(self, params: dict[str, Any], **_: Any) -> None:
        self.request = params["RequestItems"][self.table]
        self.asked.append(len(self.request["Keys"]))
        self.consistent.add(self.request.get("ConsistentRead", False))

    def leave_out(self, parsed: dict[str, Any], **_: Any) -> None:
        if self.times > 0:
            self.times -= 1
            first, *rest = self.request["Keys"]
            found = parsed["Responses"][self.table]
            parsed["Responses"][self.table] = [item for item in found if item["pk"] == first["pk"]]
            parsed["UnprocessedKeys"] = {self.table: {**self.request, "Keys": rest}}

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds

    def read(self, count: int) -> list[str]:
        reads = BatchReads(self.client, self.table, sleep=self.wait, monotonic=lambda: self.seconds)
        return [item["pk"]["S"] for item in reads.items(KEYS[:count])]


@pytest.fixture
def table(aws: dict[str, str]) -> str:
    client, name = boto3.client("dynamodb"), aws["TasksTableName"]
    for start in range(0, len(KEYS), 25):
        client.batch_write_item(
            RequestItems={name: [{"PutRequest": {"Item": key}} for key in KEYS[start : start + 25]]}
        )
    return name


def test_a_table_that_answers_in_full_is_not_waited_for(table: str) -> None:
    busy = Busy(table, times=0)

    assert sorted(busy.read(250)) == sorted(key["pk"]["S"] for key in KEYS)
    assert (busy.asked, busy.waits) == ([100, 100, 50], [])
    # Right after a write another copy of the data may not have it yet: a task would be missing, and be made again.
    assert busy.consistent == {True}


def test_what_was_left_out_is_asked_for_again_after_growing_waits(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a table that is busy for seven reads
    monkeypatch.setattr(backoff, "random", Longest)
    busy = Busy(table, times=7)
    # WHEN a hundred items are read
    found = busy.read(100)
    # THEN each comes once, and only what was left out is asked for again
    assert sorted(found) == sorted(key["pk"]["S"] for key in KEYS[:100])
    assert busy.asked == [100, 99, 98, 97, 96, 95, 94, 93]
    assert busy.waits == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0])
    assert busy.consistent == {True}


def test_waits_are_random_so_that_readers_do_not_come_back_together(table: str) -> None:
    waits = []
    for _ in range(20):
        busy = Busy(table, times=1)
        busy.read(10)
        waits += busy.waits

    assert len(set(waits)) == 20
    assert all(0 <= seconds <= 0.05 for seconds in waits)


def test_a_table_that_stays_busy_is_given_up_within_the_time(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "random", Longest)
    busy = Busy(table, times=1000)

    with pytest.raises(StorageUnavailable, match="too busy"):
        busy.read(250)

    assert PATIENCE_SECONDS - 1 < busy.seconds < PATIENCE_SECONDS


def test_all_reads_of_one_call_share_the_time(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a table that is busy for as long as one read of a hundred would wait, and then a little for the next
    monkeypatch.setattr(backoff, "random", Longest)
    busy = Busy(table, times=8)
    busy.read(100)
    alone = busy.seconds
    # WHEN three hundreds are read from such a table, which is busy for each of them
    again = Busy(table, times=30)
    # THEN they do not wait three times as long
    with pytest.raises(StorageUnavailable):
        again.read(250)
    assert again.seconds < PATIENCE_SECONDS < 2 * alone
