"""Records of the tasks table's stream, as an event source mapping hands them over, read as tasks and batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from matchcast.adapters.batch_items import read_batch
from matchcast.adapters.dynamodb_tasks import read_task
from matchcast.domain.batch import Batch
from matchcast.domain.task import Task
from matchcast.errors import InvalidMessage, MatchcastError
from matchcast.webhooks.ports import StreamRecord

_MOST_BYTES = 200_000
"""Of a record that is kept with its image: a queue takes 256 KB."""
_READERS: Mapping[str, Callable[[Any], Task | Batch]] = {"task": read_task, "batch": read_batch}


def records_of(event: Mapping[str, Any]) -> list[StreamRecord]:
    """Return the records of an invocation, in the order of the stream; what cannot be read says so in its place."""
    return [_record(record) for record in event["Records"]]


def _record(record: Mapping[str, Any]) -> StreamRecord:
    return StreamRecord(
        sequence_number=record["dynamodb"]["SequenceNumber"], body=_body(record), subject=_subject(record)
    )


def _subject(record: Mapping[str, Any]) -> Task | Batch | MatchcastError:
    try:
        image = record["dynamodb"]["NewImage"]
        return _READERS[image["sk"]["S"]](image)
    except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this record alone
        return InvalidMessage(f"A record of the stream is no task or batch ({type(error).__name__}).")


def _body(record: Mapping[str, Any]) -> str:
    """Return a record as JSON; of a large one its keys, which lead to what the table has now."""
    whole = json.dumps(record, default=str)
    if len(whole) <= _MOST_BYTES:
        return whole
    change = {name: record["dynamodb"].get(name) for name in ("Keys", "SequenceNumber")}
    return json.dumps({"eventID": record.get("eventID"), "dynamodb": change})
