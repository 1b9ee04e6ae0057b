"""Writes of batches that a busy table refuses, or whose answer gets lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from matchcast.adapters.backoff import PATIENCE_SECONDS, Backoff
from matchcast.adapters.batch_items import batch_key, part_key
from matchcast.adapters.dynamodb_batches import DynamoDBBatches
from matchcast.domain.batch import BatchStatus
from matchcast.domain.task import GONE_FOR
from matchcast.errors import RequestRefused, StorageUnavailable
from tests.support.stored_batches import a_batch, a_part, running


@dataclass
class Clock:
    """Time that only waits move."""

    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds


@dataclass
class Table:
    """The table behind a client that refuses the first calls of an operation, or loses the answer to one."""

    name: str
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        retries = Config(retries={"mode": "standard", "total_max_attempts": 2})
        self.client: Any = boto3.client("dynamodb", config=retries)
        self.batches = DynamoDBBatches(self.client, self.name, lambda: Backoff(self.clock.sleep, self.clock.monotonic))

    def refuses(self, operation: str, times: int, code: str, reasons: list[str] | None = None) -> None:
        """Refuse calls without making them."""
        left, call = [times], getattr(self.client, operation)

        def refused(**request: Any) -> Any:
            if left[0] == 0:
                return call(**request)
            left[0] -= 1
            answer: Any = {"Error": {"Code": code, "Message": ""}}
            if reasons is not None:
                answer["CancellationReasons"] = [{"Code": reason} for reason in reasons]
            raise ClientError(answer, operation)

        setattr(self.client, operation, refused)

    def loses_answer(self, operation: str) -> list[object]:
        """Lose the first answer of an operation: the SDK sends the request again."""
        lost: list[object] = []

        def lose_once(response: object, **_: object) -> int | None:
            if lost:
                return None
            lost.append(response)
            return 0  # seconds until it is sent again

        self.client.meta.events.register(f"needs-retry.dynamodb.{operation}", lose_once)
        return lost

    def item(self, key: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get_item(TableName=self.name, Key=key)["Item"]
        return found


@pytest.fixture
def table(aws: dict[str, str]) -> Table:
    return Table(aws["TasksTableName"])


@pytest.mark.parametrize(
    ("code", "reasons"),
    [
        ("TransactionCanceledException", ["TransactionConflict", "None"]),
        ("TransactionCanceledException", ["ThrottlingError", "TransactionConflict"]),
        ("TransactionInProgressException", None),
    ],
)
def test_a_part_that_meets_another_write_is_ended_a_moment_later(
    table: Table, code: str, reasons: list[str] | None
) -> None:
    # GIVEN a batch that others are just writing
    batch = running(a_batch())
    table.batches.create(batch)
    table.refuses("transact_write_items", 3, code, reasons)

    # WHEN a part ends
    # THEN
    assert table.batches.finish_part(batch, a_part(), None)
    assert len(table.clock.waits) == 3
    assert table.batches.get_many([batch.batch_id])[batch.batch_id].parts_done == 1


def test_a_table_that_stays_busy_is_unavailable_after_some_seconds(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a batch that is written all the time
    monkeypatch.setattr("matchcast.adapters.backoff.random.uniform", lambda _, longest: longest)
    batch = running(a_batch())
    table.batches.create(batch)
    table.refuses("transact_write_items", 1000, "TransactionCanceledException", ["TransactionConflict", "None"])

    # WHEN a part ends
    # THEN
    with pytest.raises(StorageUnavailable, match="tasks table"):
        table.batches.finish_part(batch, a_part(), None)
    assert PATIENCE_SECONDS - 1 < table.clock.seconds < PATIENCE_SECONDS
    assert table.clock.waits[:5] == [0.05, 0.1, 0.2, 0.4, 0.8]


def test_a_refused_condition_is_not_tried_again(table: Table) -> None:
    # GIVEN a table that says both that a condition does not hold and that it is busy
    batch = running(a_batch())
    table.batches.create(batch)
    reasons = ["TransactionConflict", "ConditionalCheckFailed"]
    table.refuses("transact_write_items", 1, "TransactionCanceledException", reasons)

    # WHEN a part ends
    # THEN it is lost at once
    assert not table.batches.finish_part(batch, a_part(), None)
    assert table.clock.waits == []


def test_an_invalid_transaction_is_refused(table: Table) -> None:
    batch = running(a_batch())
    table.refuses("transact_write_items", 1, "ValidationException")

    with pytest.raises(RequestRefused):
        table.batches.finish_part(batch, a_part(), None)


def test_single_writes_wait_for_transactions_too(table: Table) -> None:
    # GIVEN a batch in the middle of a transaction
    batch = running(a_batch())
    table.batches.create(batch)
    table.refuses("update_item", 1, "TransactionConflictException")

    # WHEN it is cancelled
    # THEN
    cancelling = batch.model_copy(update={"status": BatchStatus.CANCELLING})
    assert table.batches.change(cancelling, [BatchStatus.RUNNING])
    assert len(table.clock.waits) == 1


def test_a_part_whose_answer_gets_lost_has_ended(table: Table) -> None:
    # GIVEN an answer that gets lost, so that the SDK asks again
    batch = running(a_batch())
    table.batches.create(batch)
    lost = table.loses_answer("TransactWriteItems")

    # WHEN a part ends
    # THEN it has ended, and is counted once
    assert table.batches.finish_part(batch, a_part(), None)
    assert len(lost) == 1
    found = table.batches.get_many([batch.batch_id])[batch.batch_id]
    assert (found.succeeded, found.parts_done) == (7, 1)


def test_a_change_whose_answer_gets_lost_has_won(table: Table) -> None:
    # GIVEN an answer that gets lost, so that the SDK asks again
    batch = a_batch()
    table.batches.create(batch)
    lost = table.loses_answer("UpdateItem")

    # WHEN the batch is changed
    # THEN the second attempt is refused because of the first, and that is no lost race
    assert table.batches.change(running(batch), [BatchStatus.QUEUED])
    assert len(lost) == 1
    assert not table.batches.change(running(batch), [BatchStatus.QUEUED])


def test_every_item_is_forgotten_in_time(table: Table) -> None:
    # GIVEN a batch with a part that ended, and one that only failed
    batch = running(a_batch())
    table.batches.create(batch)
    table.batches.finish_part(batch, a_part(0), None)
    table.batches.record_part_attempt(batch.batch_id, 1, 0)

    # WHEN their items are read
    ttls = [int(table.item(key)["ttl"]["N"]) for key in (batch_key(batch.batch_id), part_key(batch.batch_id, 0))]

    # THEN
    assert ttls == [int((batch.expires_at + GONE_FOR).timestamp())] * 2
    assert int(table.item(part_key(batch.batch_id, 1))["ttl"]["N"]) > 0


def test_a_missing_table_is_reported_as_unavailable(aws: dict[str, str]) -> None:
    # GIVEN a table that does not exist
    batches = Table(f"{aws['TasksTableName']}-gone").batches
    batch = a_batch()

    # WHEN it is called
    for call in (
        lambda: batches.create(batch),
        lambda: batches.change(batch, [BatchStatus.QUEUED]),
        lambda: batches.get_many(["x"]),
        lambda: batches.parts("x"),
        lambda: batches.part("x", 0),
        lambda: batches.finish_part(batch, a_part(), None),
        lambda: batches.record_part_attempt("x", 0, 0),
        lambda: batches.list_ids("north", None, 1),
        lambda: batches.count_open("north", batch.created_at, 1),
    ):
        # THEN
        with pytest.raises(StorageUnavailable, match="tasks table"):
            call()
