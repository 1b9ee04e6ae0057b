"""Tasks on the laptop stack: keys, cancel, retry, preferences, dead letters."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from matchcast.domain.task import Priority
from matchcast.tasks.dead_letters import Discard, Redrive
from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.deployed import Stack
from tests.support.laptop import Lanes, queue_depth

OF_POISON = ("--cause", "invalid-message")


@pytest.fixture(scope="module")
def match_id(api: ApiClient) -> str:
    return str(api.get("/predict/predictions/", limit=1).expect(200)["items"][0]["match_id"])


@pytest.fixture
def resting_lanes(stack: Stack) -> Iterator[Any]:
    """Let no worker receive; the yielded function wakes them up."""
    lanes = Lanes(stack)
    lanes.rest()
    time.sleep(0.5)  # a receive that was under way ends
    yield lanes.wake
    lanes.wake()


def test_a_hundred_equal_requests_with_one_key_are_one_task_and_one_message(
    api: ApiClient, stack: Stack, match_id: str, resting_lanes: Any
) -> None:
    # GIVEN
    headers = {"Idempotency-Key": f"e2e-{time.time_ns()}"}
    before = queue_depth(stack, "NormalQueueUrl")

    # WHEN
    with ThreadPoolExecutor(100) as threads:
        answers = list(threads.map(lambda _: api.post("/predict/async/", {"match_id": match_id}, headers), range(100)))

    # THEN
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["task_id"] for answer in answers}) == 1
    assert queue_depth(stack, "NormalQueueUrl") - before == 1
    # WHEN
    resting_lanes()
    # THEN
    assert api.wait(answers[0].json["task_id"], seconds=60)["status"] == "succeeded"


def test_a_queued_task_is_cancelled_once_and_tried_again_as_a_new_one(
    api: ApiClient, match_id: str, resting_lanes: Any
) -> None:
    # GIVEN
    task = api.post("/predict/async/", {"match_id": match_id}).expect(202)
    path = f"/predict/async/{task['task_id']}"

    # WHEN
    cancelled = [api.request("DELETE", path + slash) for slash in ("", "/")]
    again = api.post(f"{path}/retry", {})

    # THEN
    assert [answer.expect(200)["status"] for answer in cancelled] == ["cancelled", "cancelled"]
    assert again.expect(202)["retry_of"] == task["task_id"]
    assert api.get(f"/results/{task['task_id']}").status == 409
    # WHEN
    resting_lanes()
    # THEN the new task succeeds, the old one stays cancelled, and a finished task can be neither cancelled nor retried
    assert api.wait(again.json["task_id"], seconds=60)["status"] == "succeeded"
    assert api.get(f"/monitoring/task_status/{task['task_id']}").expect(200)["status"] == "cancelled"
    assert api.request("DELETE", f"/predict/async/{again.json['task_id']}").status == 409
    assert api.post(f"/predict/async/{again.json['task_id']}/retry", {}).status == 409


def test_a_task_that_is_not_started_in_time_expires(api: ApiClient, match_id: str, resting_lanes: Any) -> None:
    task = api.post("/predict/async/", {"match_id": match_id, "start_within": 1}).expect(202)

    time.sleep(1.2)

    assert api.get(task["links"]["status"]).expect(200)["status"] == "expired"
    assert api.get(task["links"]["result"]).status == 409
    resting_lanes()


@pytest.mark.parametrize("prefer", ["respond-async", "wait=10, respond-async"])
def test_a_request_on_demand_becomes_a_task_when_the_client_prefers_it(
    api: ApiClient, match_id: str, prefer: str
) -> None:
    # WHEN
    answer = api.request("GET", f"/predict/{match_id}", headers={"Prefer": prefer})

    # THEN either the task comes at once, or it has finished in time and the answer is its prediction
    assert answer.headers["preference-applied"] == prefer
    if answer.status == 202:
        assert api.wait(answer.json["task_id"], seconds=60)["status"] == "succeeded"
    else:
        assert answer.expect(200)["match_id"] == match_id
        newest = api.get("/predict/async/", limit=1).expect(200)["items"][0]
        assert (newest["status"], newest["result"]["home"]) == ("succeeded", answer.json["home"])


def test_a_second_request_for_the_same_match_comes_from_the_cache(api: ApiClient, match_id: str) -> None:
    first = api.get(f"/predict/{match_id}").expect(200)
    second = api.get(f"/predict/{match_id}").expect(200)

    assert second["cached"]
    assert (first["home"], first["predicted_at"] <= second["predicted_at"]) == (second["home"], True)


def test_poison_is_dead_lettered_with_its_cause_and_does_not_stop_good_messages(
    api: ApiClient, stack: Stack, laptop_command: Any, match_id: str
) -> None:
    # GIVEN poison among good messages in both lanes
    sqs = stack.client("sqs")
    for number in range(10):
        queue = stack.output("HighQueueUrl" if number % 2 else "NormalQueueUrl")
        sqs.send_message(QueueUrl=queue, MessageBody=f"poison {number}")
    good = [api.post("/predict/async/", {"match_id": match_id}).expect(202)["task_id"] for _ in range(10)]
    # WHEN the lanes are worked off
    assert {api.wait(task, seconds=60)["status"] for task in good} == {"succeeded"}
    # THEN the poison is among the dead letters, and can be shown, not redriven, and discarded
    deadline = time.monotonic() + 30
    counts: list[dict[str, Any]] = []
    # Generated requests may have left letters of batches.
    while sum(row["letters"] for row in counts) < 10 and time.monotonic() < deadline:
        listed = json.loads(laptop_command.run("dlq", "list", "--json").stdout)
        counts = [row for row in listed if row["lane"] in set(Priority)]
    assert {(row["lane"], row["cause"], row["letters"]) for row in counts} == {
        ("high", "invalid-message", 5),
        ("normal", "invalid-message", 5),
    }
    redriven = json.loads(laptop_command.run("dlq", "redrive", *OF_POISON, "--json").stdout)
    assert redriven == {**dict.fromkeys(map(str, Redrive), 0), "no task": 10, "dry_run": False}
    discarded = json.loads(laptop_command.run("dlq", "discard", *OF_POISON, "--yes", "--json").stdout)
    assert discarded == {**dict.fromkeys(map(str, Discard), 0), "discarded": 10, "dry_run": False}
    left = json.loads(laptop_command.run("dlq", "list", "--json").stdout)
    assert [row for row in left if row["cause"] == "invalid-message"] == []


def test_a_message_that_the_queue_dead_lettered_fails_its_task_and_is_redriven_under_the_same_id(
    api: ApiClient, stack: Stack, laptop_command: Any, match_id: str, resting_lanes: Any
) -> None:
    # GIVEN a task whose message has ended among the dead letters without a cause, as SQS itself moves it there
    task = api.post("/predict/async/", {"match_id": match_id, "priority": "high"}).expect(202)
    sqs = stack.client("sqs")
    # The delayed messages of requests that waited may be there too; they are not touched.
    waiting = sqs.receive_message(QueueUrl=stack.output("HighQueueUrl"), MaxNumberOfMessages=10)["Messages"]
    (message,) = [each for each in waiting if task["task_id"] in each["Body"]]
    sqs.send_message(QueueUrl=stack.output("HighDeadLetterQueueUrl"), MessageBody=message["Body"])
    sqs.delete_message(QueueUrl=stack.output("HighQueueUrl"), ReceiptHandle=message["ReceiptHandle"])
    # WHEN the sweep runs (one on schedule may hold the letter at this moment)
    name = stack.output("SweepDeadLettersFunctionName")
    swept = {"letters": 0}
    deadline = time.monotonic() + 30
    while swept["letters"] == 0 and time.monotonic() < deadline:
        swept = json.loads(stack.client("lambda").invoke(FunctionName=name, Payload=b"{}")["Payload"].read())
    # THEN the task has failed, and the letter is still there
    assert swept["letters"] >= 1
    failed = api.get(task["links"]["status"]).expect(200)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "dead-lettered")
    dry = json.loads(laptop_command.run("dlq", "redrive", "--lane", "high", "--dry-run", "--json").stdout)
    assert (dry["planned"]["redriven"], dry["dry_run"]) == (1, True)
    # AND a redrive completes the task under its own id
    assert json.loads(laptop_command.run("dlq", "redrive", "--lane", "high", "--json").stdout)["redriven"] == 1
    resting_lanes()
    done = api.wait(task["task_id"], seconds=60)
    assert (done["status"], done["generation"]) == ("succeeded", 1)
    left = json.loads(laptop_command.run("dlq", "list", "--json").stdout)
    assert [row for row in left if row["lane"] == "high"] == []
