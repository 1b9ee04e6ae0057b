"""What decides whether a part or a batch has ended is read consistently; a stand-in could not tell the difference."""

from __future__ import annotations

from typing import Any

import boto3

from matchcast.adapters.dynamodb_batches import DynamoDBBatches


def test_batches_and_parts_are_read_consistently(aws: dict[str, str]) -> None:
    # GIVEN a client whose requests are seen
    client = boto3.client("dynamodb")
    seen: list[bool | None] = []

    def see(params: dict[str, Any], **_: object) -> None:
        tables = params.get("RequestItems", {}).values() or [params]
        seen.extend(table.get("ConsistentRead") for table in tables)

    client.meta.events.register("before-parameter-build.dynamodb", see)
    batches = DynamoDBBatches(client, aws["TasksTableName"])

    # WHEN
    batches.get_many(["a"])
    batches.part("a", 0)
    batches.parts("a")

    # THEN
    assert seen == [True] * 3
