"""What the laptop's engine does with the stream of a table: failures, what was read, and what was not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import dynamodb, lambda_svc

from matchcast_tools.laptop.table_streams import STATE, and_unread, forget_read, with_failed_records, with_unread

SCOPE = ("000000000000", "us-east-1")
STREAM = [*SCOPE, "tasks"]
ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/tasks/stream/2026-03-01T12:00:00.000"
OF_STREAM = {"Records": [{"eventSource": "aws:dynamodb"}]}
OF_QUEUE = {"Records": [{"eventSource": "aws:sqs"}]}
FAILED = {"batchItemFailures": [{"itemIdentifier": "7"}]}


@pytest.fixture(autouse=True)
def engine() -> Iterator[None]:
    """An engine without tables and mappings."""
    stores = (
        dynamodb._stream_records,
        dynamodb._stream_trimmed,
        lambda_svc._esms,
        lambda_svc._dynamodb_stream_positions,
    )
    before = [dict(store._data) for store in stores]
    for store in stores:
        store._data.clear()
    yield
    for store, content in zip(stores, before, strict=True):
        store._data.clear()
        store._data.update(content)


def records() -> dict[Any, list[str]]:
    found: dict[Any, list[str]] = dynamodb._stream_records._data
    return found


def mapping(name: str, read: int) -> None:
    lambda_svc._esms._data[*SCOPE, name] = {"EventSourceArn": ARN}
    lambda_svc._dynamodb_stream_positions._data[*SCOPE, name] = read


@pytest.mark.parametrize(
    ("event", "body", "fails"),
    [
        (OF_STREAM, FAILED, True),
        (OF_STREAM, '{"batchItemFailures": [{"itemIdentifier": "7"}]}', True),
        (OF_STREAM, {"batchItemFailures": []}, False),
        (OF_STREAM, None, False),
        (OF_QUEUE, FAILED, False),
        ({}, FAILED, False),
    ],
)
def test_a_record_of_a_stream_that_failed_is_a_failure_of_the_invocation(event: Any, body: Any, fails: bool) -> None:
    execute = with_failed_records(lambda *_: {"body": body})
    assert bool(execute({}, event).get("error")) is fails


def test_records_are_forgotten_when_every_mapping_has_read_them() -> None:
    # GIVEN five records behind ten that were forgotten before, and two mappings
    records()[tuple(STREAM)] = ["a", "b", "c", "d", "e"]
    dynamodb._stream_trimmed._data[tuple(STREAM)] = 10
    mapping("fast", 14)
    mapping("slow", 12)
    # WHEN
    forget_read()
    # THEN
    assert records()[tuple(STREAM)] == ["c", "d", "e"]
    assert dynamodb._stream_trimmed._data[tuple(STREAM)] == 12


def test_a_stream_that_nobody_reads_keeps_nothing() -> None:
    records()[tuple(STREAM)] = ["a", "b"]
    forget_read()
    assert records()[tuple(STREAM)] == []


def test_what_was_not_read_is_there_again_in_the_next_engine() -> None:
    # GIVEN a saved state
    records()[tuple(STREAM)] = ["c", "d"]
    dynamodb._stream_trimmed._data[tuple(STREAM)] = 12
    state = with_unread(lambda: {"tables": {}})()
    assert state == {"tables": {}, STATE: [[*STREAM, 12, ["c", "d"]]]}
    # WHEN a new engine restores it
    records().clear()
    dynamodb._stream_trimmed._data.clear()
    restored: list[Any] = []
    and_unread(restored.append)(state)
    # THEN a mapping goes on where it was
    assert restored == [state]
    assert (records(), dynamodb._stream_trimmed._data) == ({tuple(STREAM): ["c", "d"]}, {tuple(STREAM): 12})
