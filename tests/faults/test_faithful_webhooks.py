"""That the simulated table of webhooks answers as the real one."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.faults.direct import Ask, both

pytestmark = pytest.mark.usefixtures("account")


def a_request_of_webhooks(rng: random.Random, table: str) -> Any:
    """Draw one of the requests that deliveries make."""
    key = {"pk": {"S": f"subject#{rng.randrange(3)}"}, "sk": {"S": f"event#{rng.randrange(2)}"}}
    place, look_at = f"{rng.randrange(2)}-{rng.randrange(3)}", {"N": str(rng.randrange(9) / 2)}
    put = {
        "TableName": table,
        "Item": {
            **key,
            "tenant": {"S": rng.choice(("north", "south"))},
            "occurred": {"S": f"2026-03-0{rng.randrange(1, 9)}#x"},
            "attempts": {"M": {}},
            "due_shard": {"S": "0"},
            "look_at": look_at,
            "tried": {"N": "0"},
        },
        "ConditionExpression": "attribute_not_exists(pk)",
    }
    change = {
        "TableName": table,
        "Key": key,
        "UpdateExpression": "SET #attempts.#place = :attempt, look_at = :look_at ADD tried :one REMOVE #attempts.#old",
        "ConditionExpression": "tried < :most",
        "ExpressionAttributeNames": {"#attempts": "attempts", "#place": place, "#old": f"old {place}"},
        "ExpressionAttributeValues": {
            ":attempt": {"S": str(rng.random())},
            ":look_at": look_at,
            ":one": {"N": "1"},
            ":most": {"N": "5"},
        },
    }
    due = {
        "TableName": table,
        "IndexName": "due_index",
        "KeyConditionExpression": "due_shard = :shard AND look_at <= :until",
        "ExpressionAttributeValues": {":shard": {"S": "0"}, ":until": look_at},
    }
    between = {
        "TableName": table,
        "IndexName": "tenant_index",
        "KeyConditionExpression": "tenant = :tenant AND occurred BETWEEN :first AND :last",
        "ExpressionAttributeValues": {
            ":tenant": {"S": "north"},
            ":first": {"S": "2026-03-02"},
            ":last": {"S": "2026-04"},
        },
    }
    read = {"TableName": table, "Key": key, "ConsistentRead": True}
    change_twice = [("update_item", change)] * 2
    return rng.choice([("put_item", put), *change_twice, ("query", due), ("query", between), ("get_item", read)])


def test_deliveries_are_written_and_found_as_in_dynamodb() -> None:
    # GIVEN some hundred requests in a row, drawn from those of the table of webhooks
    def script(ask: Ask, names: dict[str, str]) -> list[Any]:
        rng = random.Random(1)
        asked = [a_request_of_webhooks(rng, names["WebhooksTableName"]) for _ in range(300)]
        return [(operation, ask(operation, **request)) for operation, request in asked]

    # WHEN both are asked
    real, simulated = both("dynamodb", script)

    # THEN
    assert simulated == real
    assert {answer for _, answer in real if isinstance(answer, str)} == {"ConditionalCheckFailedException"}
    assert any(operation == "query" and answer["Count"] > 1 for operation, answer in real)
