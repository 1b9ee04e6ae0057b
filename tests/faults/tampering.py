"""Broken copies of the product by what they send: each tampers with requests of the product, or with their answers.

A product that leaves a condition out and a wire that removes it are the same to everybody else, and the wire does not
care how the product is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from tests.faults.queues import Message
from tests.faults.scheduler import Environment
from tests.faults.transactions import ServiceError
from tests.faults.wire import Wire

Answer = dict[str, Any] | ServiceError
Broken = Callable[[Wire, str, str, Any], Answer]
Tampering = Callable[[Wire, str, Any], None]
GONE_FOR_SECONDS = 7 * 86_400
answered = Wire._answered


def request(change: Tampering) -> Broken:
    """Return a wire that changes requests on their way."""

    def broken(wire: Wire, what: str, operation: str, content: Any) -> Answer:
        change(wire, operation, content)
        return answered(wire, what, operation, content)

    return broken


def swallowed(is_lost: Callable[[str, Any], bool]) -> Broken:
    """Return a wire on which some requests only seem to succeed."""

    def broken(wire: Wire, what: str, operation: str, content: Any) -> Answer:
        if is_lost(operation, content):
            return {"MessageId": "swallowed"} if operation == "SendMessage" else {}
        return answered(wire, what, operation, content)

    return broken


def process(wire: Wire) -> str:
    """Return which process asks."""
    return environment(wire).name


def environment(wire: Wire) -> Environment:
    """Return the process that asks."""
    found = wire._scheduler.me().environment
    assert found is not None
    return found


def without_condition(operation: str, prefix: str) -> Broken:
    """Return a wire that makes writes of some items unconditional."""

    def change(_: Wire, given: str, content: Any) -> None:
        if given == operation and content.get("Item", content.get("Key"))["pk"]["S"].startswith(prefix):
            content.pop("ConditionExpression", None)

    return request(change)


def with_condition(operation: str, prefix: str, old: str, new: str) -> Broken:
    """Return a wire that changes a part of a condition."""

    def change(_: Wire, given: str, content: Any) -> None:
        if given == operation and content.get("Item", content.get("Key"))["pk"]["S"].startswith(prefix):
            condition = content.get("ConditionExpression", "")
            content["ConditionExpression"] = condition.replace(old, new)

    return request(change)


def inconsistent(operation: str, prefix: str) -> Broken:
    """Return a wire on which reads may lag."""

    def change(_: Wire, given: str, content: Any) -> None:
        if given == operation == "GetItem" and content["Key"]["pk"]["S"].startswith(prefix):
            content["ConsistentRead"] = False
        if given == operation == "BatchGetItem":
            for each in content["RequestItems"].values():
                each["ConsistentRead"] = False

    return request(change)


def unprocessed_ignored(wire: Wire, what: str, operation: str, content: Any) -> Answer:
    answer = answered(wire, what, operation, content)
    if operation == "BatchGetItem" and isinstance(answer, dict):
        answer["UnprocessedKeys"] = {}
    return answer


def first_page_only(wire: Wire, what: str, operation: str, content: Any) -> Answer:
    answer = answered(wire, what, operation, content)
    if operation == "Query" and content.get("IndexName") == "tenant_index" and isinstance(answer, dict):
        answer.pop("LastEvaluatedKey", None)
    return answer


def begin_anew(_: Wire, operation: str, content: Any) -> None:
    if operation == "Query":
        content["KeyConditionExpression"] = content["KeyConditionExpression"].replace(" AND task_id < :before", "")


def expired_instead(wire: Wire, operation: str, content: Any) -> None:
    values = content.get("ExpressionAttributeValues", {})
    if operation == "UpdateItem" and process(wire).startswith("run_inference") and ":status" in values:
        values[":status"] = {"S": "expired"}


def own_result(wire: Wire, what: str, operation: str, content: Any) -> Answer:
    answer = answered(wire, what, operation, content)
    is_lost = isinstance(answer, ServiceError) and answer.code == "ConditionalCheckFailedException"
    return {} if operation == "UpdateItem" and process(wire).startswith("run_inference") and is_lost else answer


def removed_at_receipt(wire: Wire, what: str, operation: str, content: Any) -> Answer:
    answer = answered(wire, what, operation, content)
    if operation == "ReceiveMessage" and process(wire).startswith("run_inference") and isinstance(answer, dict):
        for message in answer.get("Messages", []):
            given = {"QueueUrl": content["QueueUrl"], "ReceiptHandle": message["ReceiptHandle"]}
            answered(wire, what, "DeleteMessage", given)
    return answer


_held: WeakKeyDictionary[Environment, Any] = WeakKeyDictionary()


def buried_late(wire: Wire, what: str, operation: str, content: Any) -> Answer:
    """Send a letter only after the write that should follow it."""
    if operation == "SendMessage" and content["QueueUrl"].endswith("-dead"):
        _held[environment(wire)] = content
        return {"MessageId": "late"}
    answer = answered(wire, what, operation, content)
    late = _held.pop(environment(wire), None) if operation == "UpdateItem" else None
    if late is not None:
        answered(wire, "queue", "SendMessage", late)
    return answer


def another_letter(wire: Wire, operation: str, content: Any) -> None:
    """Have operators delete the first letter, whichever they mean."""
    if operation == "DeleteMessage" and process(wire).startswith("operator"):
        messages: list[Message] = _queue(wire, content).messages
        if messages:
            content["ReceiptHandle"] = messages[0].handle


def any_generation_in_sweep(wire: Wire, what: str, operation: str, content: Any) -> Answer:
    """Have the sweep fail a task in whatever generation it is."""
    if not process(wire).startswith("sweep"):
        return answered(wire, what, operation, content)
    if operation == "BatchGetItem":
        return {"Responses": {}, "UnprocessedKeys": {}}
    if operation == "UpdateItem":
        found = answered(wire, what, "GetItem", {"Key": content["Key"], "ConsistentRead": True})
        if isinstance(found, dict) and "Item" in found:
            generation = found["Item"]["generation"]
            content["ExpressionAttributeValues"] |= {":expected_generation": generation, ":generation": generation}
    return answered(wire, what, operation, content)


def forgotten_early(_: Wire, __: str, content: Any) -> None:
    for values in (content.get("Item", {}), content.get("ExpressionAttributeValues", {})):
        for name in ("ttl", ":ttl"):
            if name in values and ("pk" not in values or values["pk"]["S"].startswith("task#")):
                values[name] = {"N": str(int(values[name]["N"]) - GONE_FOR_SECONDS)}


def _queue(wire: Wire, content: Any) -> Any:
    queues: Any = wire._services["queue"]
    return queues.__self__.queues[content["QueueUrl"].rsplit("/", 1)[-1]]
