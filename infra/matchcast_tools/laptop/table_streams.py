"""What the engine's streams of tables lack: failures by record, an end of what was read, and a life beyond the engine.

**Failures by record.** The engine takes a function's answer for success, whatever it names in `batchItemFailures`, and
goes on behind the records. Here such an answer is a failure, so that the records come again, with those before them.

**An end of what was read.** The engine keeps every record for a day, in memory; here those that every mapping has read
are forgotten.

**A life beyond the engine.** The engine saves how far a mapping has read, but no records; with those of the next engine
it would begin far too late. Here the unread ones are saved with their tables.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

STATE = "unread_stream_records"


def mend_table_streams() -> None:
    """Change the streams of the engine of this process."""
    from ministack.services import dynamodb, lambda_svc

    lambda_svc._execute_function = with_failed_records(lambda_svc._execute_function)  # noqa: SLF001
    lambda_svc._poll_dynamodb_streams = and_forget(lambda_svc._poll_dynamodb_streams)  # noqa: SLF001
    dynamodb.get_state = with_unread(dynamodb.get_state)
    dynamodb.load_persisted_state = and_unread(dynamodb.load_persisted_state)


def with_failed_records(execute: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return a call of functions that fails where a function names records of a stream that failed."""

    @functools.wraps(execute)
    def executing(function: Any, event: Any, *more: Any, **named: Any) -> dict[str, Any]:
        result = execute(function, event, *more, **named)
        if is_of_stream(event) and not result.get("error") and failures_of(result.get("body")):
            message = f"{failures_of(result.get('body'))} come again, with all records of their batch."
            return {**result, "error": True, "body": {"errorType": "BatchItemFailures", "errorMessage": message}}
        return result

    return executing


def is_of_stream(event: Any) -> bool:
    """Return whether an event has records of a table's stream."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    return any(record.get("eventSource") == "aws:dynamodb" for record in records or [])


def failures_of(body: Any) -> list[str]:
    """Return the records that an answer names as failed."""
    content = json.loads(body) if isinstance(body, str) else body
    failures = content.get("batchItemFailures") if isinstance(content, Mapping) else None
    return [str(failure["itemIdentifier"]) for failure in failures or []]


def and_forget(poll: Callable[[], bool]) -> Callable[[], bool]:
    """Return a poll after which what every mapping has read is forgotten."""

    @functools.wraps(poll)
    def polling() -> bool:
        processed = poll()
        forget_read()
        return processed

    return polling


def forget_read() -> None:
    """Forget the records of each stream that its mappings have read, or that no mapping reads."""
    from ministack.services import dynamodb

    positions = read_positions()
    for key, records in list(dynamodb._stream_records._data.items()):  # noqa: SLF001 - the engine has no setting for it
        first = dynamodb._stream_trimmed._data.get(key, 0)  # noqa: SLF001
        read = min(len(records), positions.get(key, first + len(records)) - first)
        if read > 0:
            del records[:read]
            dynamodb._stream_trimmed._data[key] = first + read  # noqa: SLF001


def read_positions() -> dict[tuple[str, str, str], int]:
    """Return how far each table's stream was read, by account, region and table; of several mappings the slowest."""
    from ministack.services import lambda_svc

    found: dict[tuple[str, str, str], int] = {}
    for (account, region, mapping_id), mapping in list(lambda_svc._esms._data.items()):  # noqa: SLF001
        source = str(mapping.get("EventSourceArn", ""))
        if ":dynamodb:" not in source:
            continue
        key = (account, region, source.partition(":table/")[2].partition("/")[0])
        position = lambda_svc._dynamodb_stream_positions._data.get((account, region, mapping_id), 0)  # noqa: SLF001
        found[key] = min(position, found.get(key, position))
    return found


def with_unread(get_state: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Return a reader of the tables' state that adds the unread records of their streams."""
    from ministack.services import dynamodb

    @functools.wraps(get_state)
    def getting() -> dict[str, Any]:
        trimmed = dynamodb._stream_trimmed._data  # noqa: SLF001
        streams = list(dynamodb._stream_records._data.items())  # noqa: SLF001
        return get_state() | {STATE: [[*key, trimmed.get(key, 0), list(records)] for key, records in streams]}

    return getting


def and_unread(load: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a loader of the tables' state that restores the unread records too, where they were."""
    from ministack.services import dynamodb

    @functools.wraps(load)
    def loading(state: Any) -> None:
        load(state)
        for account, region, table, first, records in (state or {}).get(STATE, []):
            dynamodb._stream_records._data[account, region, table] = list(records)  # noqa: SLF001
            dynamodb._stream_trimmed._data[account, region, table] = first  # noqa: SLF001

    return loading
