"""That the simulated services answer as the real ones: the same requests to them and to moto have the same answers."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest

from tests.faults.direct import Ask, both

pytestmark = pytest.mark.usefixtures("account")
IDS = [f"019ca945-0000-7000-8000-00000000000{number}" for number in range(5)]
FINISH = (
    "attribute_not_exists(pk) OR (#status = :expected_status AND generation = :expected_generation)",
    "SET #status = :status, generation = :generation, attempts = if_not_exists(attempts, :count)",
)


def item(rng: random.Random, task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "pk": {"S": f"task#{task_id}"},
        "sk": {"S": "task"},
        "task_id": {"S": task_id},
        "status": {"S": rng.choice(("queued", "queued", "failed"))},
        "generation": {"N": str(rng.randrange(2))},
        "tenant_shard": {"S": f"north#{rng.randrange(2)}"},
        "created_at": {"S": "2026-03-01T12:00:00Z"},
        "result": {"S": "x"},
    }
    return {**found, "match_id": {"S": rng.choice("ab")}} if rng.random() < 0.7 else found


def a_write(rng: random.Random, table: str) -> Any:
    """Draw one of the writes of the product, over records in any state."""
    task_id = rng.choice(IDS)
    key = {"pk": {"S": f"task#{task_id}"}, "sk": {"S": "task"}}
    expected = {":expected_status": {"S": "queued"}, ":expected_generation": {"N": str(rng.randrange(2))}}
    values = {":status": {"S": "succeeded"}, ":generation": {"N": "1"}, ":count": {"N": "0"}}
    condition, update = FINISH
    finish = {
        "TableName": table,
        "Key": key,
        "ConditionExpression": condition,
        "UpdateExpression": update,
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": {**expected, **values},
    }
    count = {
        **finish,
        "UpdateExpression": "SET #status = :status ADD attempts :count",
        "ExpressionAttributeValues": {**expected, ":status": {"S": "queued"}, ":count": {"N": "1"}},
        "ReturnValues": "UPDATED_NEW",
    }
    remove = {**finish, "UpdateExpression": f"{update} REMOVE created_at, match_id", "ReturnValues": "ALL_NEW"}
    claim = {
        "TableName": table,
        "Item": {"pk": {"S": "key#north"}, "sk": {"S": "key"}, "ttl": {"N": str(rng.randrange(100))}},
        "ConditionExpression": "attribute_not_exists(pk) OR #ttl <= :now",
        "ExpressionAttributeNames": {"#ttl": "ttl"},
        "ExpressionAttributeValues": {":now": {"N": str(rng.randrange(100))}},
    }
    put = {"TableName": table, "Item": item(rng, task_id)}
    return rng.choice(
        [
            ("put_item", {**put, "ConditionExpression": "attribute_not_exists(pk)"}),
            ("put_item", put),
            ("put_item", claim),
            ("update_item", finish),
            ("update_item", count),
            ("update_item", remove),
            ("delete_item", {"TableName": table, "Key": key, "ReturnValues": "ALL_OLD"}),
        ]
    )


def a_read(rng: random.Random, table: str) -> Any:
    """Draw one of the reads of the product."""
    keys = [{"pk": {"S": f"task#{each}"}, "sk": {"S": "task"}} for each in rng.sample(IDS, 3)]
    if rng.random() < 0.1:
        keys.append(keys[0])
    query: dict[str, Any] = {
        "TableName": table,
        "IndexName": "tenant_index",
        "KeyConditionExpression": "tenant_shard = :shard",
        "ExpressionAttributeValues": {":shard": {"S": f"north#{rng.randrange(2)}"}},
        "ScanIndexForward": rng.random() < 0.5,
    }
    if rng.random() < 0.5:
        query["KeyConditionExpression"] += " AND task_id < :before"
        query["ExpressionAttributeValues"][":before"] = {"S": rng.choice(IDS)}
    if rng.random() < 0.5:
        query["Limit"] = rng.randint(1, 3)
    if rng.random() < 0.3:
        query["FilterExpression"] = "match_id = :match_id"
        query["ExpressionAttributeValues"][":match_id"] = {"S": "a"}
    if rng.random() < 0.5:
        query["ProjectionExpression"] = "task_id"
    elif rng.random() < 0.4:
        query["Select"] = "COUNT"
    return rng.choice(
        [
            ("get_item", {"TableName": table, "Key": keys[0], "ConsistentRead": True}),
            ("batch_get_item", {"RequestItems": {table: {"Keys": keys, "ConsistentRead": True}}}),
            ("query", query),
            ("query", query),
        ]
    )


@pytest.mark.parametrize("seed", range(3))
def test_writes_conditions_reads_and_queries_are_answered_as_by_dynamodb(seed: int) -> None:
    # GIVEN some hundred requests in a row, drawn from those that the product makes
    def script(ask: Ask, names: dict[str, str]) -> list[Any]:
        rng, table = random.Random(seed), names["TasksTableName"]
        asked = [rng.choice((a_write, a_read))(rng, table) for _ in range(250)]
        return [(operation, request, sorted_(ask(operation, **request))) for operation, request in asked]

    # WHEN both are asked
    real, simulated = both("dynamodb", script)

    # THEN every answer is the same, and all kinds of them occur
    for expected, found in zip(real, simulated, strict=True):
        assert without_end(found) == without_end(expected)
    heard = {answer if isinstance(answer, str) else operation for operation, _, answer in real}
    assert heard >= {"put_item", "query", "ConditionalCheckFailedException", "ValidationException", "batch_get_item"}


def a_transaction(rng: random.Random, table: str) -> Any:
    """Draw the writes that end a part, over a batch and a part in any state."""
    batch = rng.choice(IDS[:2])
    key = {"pk": {"S": f"batch#{batch}"}}
    count = {
        "TableName": table,
        "Key": {**key, "sk": {"S": "batch"}},
        "UpdateExpression": "ADD succeeded :succeeded, parts_done :parts_done",
        "ConditionExpression": "#status = :running AND generation = :generation",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": {
            ":succeeded": {"N": str(rng.randrange(9))},
            ":parts_done": {"N": "1"},
            ":running": {"S": "running"},
            ":generation": {"N": str(rng.randrange(2))},
        },
    }
    end = {
        "TableName": table,
        "Key": {**key, "sk": {"S": f"part#{rng.randrange(3)}"}},
        "UpdateExpression": "SET #generation = :generation, #mark = :mark",
        "ConditionExpression": "attribute_not_exists(#generation)",
        "ExpressionAttributeNames": {"#generation": "generation", "#mark": "mark"},
        "ExpressionAttributeValues": {":generation": {"N": "0"}, ":mark": {"S": str(rng.random())}},
    }
    state: dict[str, Any] = {"status": {"S": rng.choice(("running", "running", "queued"))}}
    put = {
        "TableName": table,
        "Item": {**key, "sk": {"S": "batch"}, **state, "generation": {"N": str(rng.randrange(2))}},
    }
    read = {"TableName": table, "Key": rng.choice((count, end))["Key"], "ConsistentRead": True}
    both_writes = {"TransactItems": [{"Update": count}, {"Update": end}]}
    return rng.choice([("put_item", put), *[("transact_write_items", both_writes)] * 3, *[("get_item", read)] * 2])


def test_transactions_make_both_writes_or_none_and_say_why_as_dynamodb(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN transactions that never meet, some hundred transactions in a row, and reads between them
    monkeypatch.setattr("tests.faults.transactions._LONGEST_SECONDS", 0.0)

    def script(ask: Ask, names: dict[str, str]) -> list[Any]:
        rng = random.Random(1)
        asked = [a_transaction(rng, names["TasksTableName"]) for _ in range(300)]
        return [(operation, ask(operation, **request)) for operation, request in asked]

    # WHEN both are asked
    real, simulated = both("dynamodb", script)

    # THEN
    assert simulated == real
    assert {answer for _, answer in real if isinstance(answer, str)} == {"TransactionCanceledException"}


def without_end(asked: Any) -> Any:
    """Drop the key after a page that is full: DynamoDB sends it even where nothing more comes, moto does not."""
    operation, request, answer = asked
    if operation == "query" and answer.get("ScannedCount") == request.get("Limit"):
        return operation, request, {**answer, "LastEvaluatedKey": None}
    return asked


def sorted_(answer: Any) -> Any:
    """Return an answer with what has no order sorted."""
    if "Responses" in answer:
        answer["Responses"] = {name: sorted(items, key=str) for name, items in answer["Responses"].items()}
    return answer


def test_messages_come_hide_move_and_go_as_in_sqs() -> None:
    # GIVEN the life of some messages, with what the product asks of a queue
    def script(ask: Ask, names: dict[str, str]) -> list[Any]:
        lane = {"QueueUrl": names["NormalQueueUrl"]}
        system = ["ApproximateReceiveCount", "MessageGroupId"]
        wanted = {"MessageAttributeNames": ["cause"], "MessageSystemAttributeNames": system}
        cause = {
            "cause": {"DataType": "String", "StringValue": "why"},
            "other": {"DataType": "String", "StringValue": "x"},
        }
        heard = [ask("send_message", **lane, MessageBody="a", MessageAttributes=cause, MessageGroupId="north")]
        heard += [ask("send_message", **lane, MessageBody="late", DelaySeconds=seconds) for seconds in (900, 901)]
        first = ask("receive_message", **lane, **wanted, MaxNumberOfMessages=10)
        handle = {"ReceiptHandle": first["Messages"][0]["ReceiptHandle"]}
        heard += [first, ask("receive_message", **lane, WaitTimeSeconds=0)]
        heard.append(ask("change_message_visibility", **lane, **handle, VisibilityTimeout=0))
        again = ask("receive_message", **lane, **wanted)
        mine = {"ReceiptHandle": again["Messages"][0]["ReceiptHandle"]}
        entries = [{"Id": "0", **mine}]
        hidden = [{"Id": "0", **mine, "VisibilityTimeout": 60}]
        heard += [again, ask("change_message_visibility_batch", **lane, Entries=hidden)]
        heard += [ask("delete_message_batch", **lane, Entries=entries), ask("receive_message", **lane)]
        several = [{"Id": str(number), "MessageBody": "b", "MessageGroupId": "north"} for number in range(2)]
        heard.append(ask("send_message_batch", **lane, Entries=several))
        heard.append(ask("send_message_batch", **lane, Entries=[*several, {**several[0], "DelaySeconds": 901}][1:]))
        heard.append(len(ask("receive_message", **lane, **wanted, MaxNumberOfMessages=10)["Messages"]))
        heard.append(ask("send_message", QueueUrl=f"{names['NormalQueueUrl']}-none", MessageBody="a"))
        return heard

    # WHEN both are asked
    # THEN every answer is the same, but for ids and receipts
    real, simulated = both("sqs", script)
    assert [plain(answer) for answer in simulated] == [plain(answer) for answer in real]


def plain(answer: Any) -> str:
    return re.sub(
        r'"(Message|MessageId|ReceiptHandle|MD5[A-Za-z]*)": "[^"]*"(, )?', "", json.dumps(answer, sort_keys=True)
    )
