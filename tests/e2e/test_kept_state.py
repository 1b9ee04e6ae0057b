"""What a laptop stack holds survives its stop, the death of its engine, a change of its port and new code."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from typing import Any

from matchcast_tools.laptop.stack_file import laptop_stack
from matchcast_tools.laptop.state import Folder
from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.deployed import Stack
from tests.support.laptop import Command, Lanes, queue_depth

UP = ("up", "--detach", "--json")


def started(command: Command, *options: str) -> tuple[dict[str, Any], Stack]:
    up = command.run(*UP, *options)
    assert up.returncode == 0, up.stderr
    content = json.loads(up.stdout)
    return content, laptop_stack(content["port"], content["outputs"])


def api_of(content: dict[str, Any], token: str | None = None) -> ApiClient:
    return ApiClient(content["api_url"], content["host_header"], token or content["token"])


def submitted(content: dict[str, Any], stack: Stack) -> str:
    """Submit a task that no worker takes."""
    Lanes(stack).rest()
    api = api_of(content)
    (match,) = api.get("/predict/predictions/", limit=1).expect(200)["items"]
    body = {"match_id": match["match_id"], "priority": "high"}
    task_id = str(api.post("/predict/async/", body).expect(202)["task_id"])
    assert queue_depth(stack, "HighQueueUrl") == 1
    return task_id


def submitted_batch(content: dict[str, Any], stack: Stack) -> str:
    """Submit a batch that nobody splits."""
    Lanes(stack, "SplitBatchFunctionName").rest()
    api = api_of(content)
    items = api.get("/predict/predictions/", limit=3).expect(200)["items"]
    body = {"match_ids": [item["match_id"] for item in items]}
    batch_id = str(api.post("/predict/batch/", body).expect(202)["batch_id"])
    assert queue_depth(stack, "BatchesQueueUrl") == 1
    return batch_id


def ended(api: ApiClient, batch_id: str) -> dict[str, Any]:
    """Return a batch as soon as it has ended."""
    deadline = time.monotonic() + 60
    while True:
        batch: dict[str, Any] = api.get(f"/predict/batch/{batch_id}").expect(200)
        if batch["status"] in ("succeeded", "failed", "cancelled") or time.monotonic() > deadline:
            return batch
        time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_down_and_up_keep_all_of_it_even_on_another_port_and_with_other_parameters(command: Command) -> None:
    # GIVEN a stack with a task and a batch that wait, and an object
    before, stack = started(command)
    task_id, batch_id = submitted(before, stack), submitted_batch(before, stack)
    stack.client("s3").put_object(Bucket=stack.output("DataBucketName"), Key="models/a", Body=b"weights")
    stopped = command.run("down", "--json")
    assert json.loads(stopped.stdout) == {"stopped": True, "kept": True}

    # WHEN it is started again
    after, stack = started(command)

    # THEN port, client, task, batch, messages and object are there, and the old token is good
    assert [after[name] for name in ("port", "client_id", "client_secret", "outputs")] == [
        before[name] for name in ("port", "client_id", "client_secret", "outputs")
    ]
    assert api_of(after, before["token"]).get(f"/monitoring/task_status/{task_id}").expect(200)["status"] == "queued"
    assert api_of(after, before["token"]).get(f"/predict/batch/{batch_id}").expect(200)["status"] == "queued"
    assert (queue_depth(stack, "HighQueueUrl"), queue_depth(stack, "BatchesQueueUrl")) == (1, 1)
    assert stack.client("s3").get_object(Bucket=after["buckets"]["data"], Key="models/a")["Body"].read() == b"weights"

    # WHEN it moves to another port with a parameter changed, so that functions are deployed again
    command.run("down")
    port = free_port()
    moved, stack = started(command, "--port", str(port), "--set", "TaskLifetimeSeconds=61")

    # THEN the table, the queue and the pool still hold what they held, and the functions have the new setting
    assert moved["port"] == port
    assert f":{port}/" in moved["queues"]["high"]
    assert queue_depth(stack, "HighQueueUrl") == 1
    assert api_of(moved, before["token"]).get(f"/monitoring/task_status/{task_id}").expect(200)["status"] == "queued"
    variables = stack.client("lambda").get_function_configuration(FunctionName="matchcast-submit_prediction")
    assert variables["Environment"]["Variables"]["TASK_LIFETIME_SECONDS"] == "61"

    # WHEN its workers wake up
    for function in ("RunInferenceFunctionName", "SplitBatchFunctionName"):
        Lanes(stack, function).wake()
    # THEN the batch is run
    batch = ended(api_of(moved, before["token"]), batch_id)
    assert (batch["status"], batch["counts"]["succeeded"]) == ("succeeded", 3)

    # WHEN a new one is started
    command.run("down")
    new, stack = started(command, "--new", "--no-sample")
    # THEN nothing is left of the old one
    assert new["client_id"] != before["client_id"]
    assert queue_depth(stack, "HighQueueUrl") == 0


def test_a_killed_engine_and_a_refused_start_lose_nothing_that_was_saved(command: Command) -> None:
    # GIVEN a task that waits, and a save after it
    before, stack = started(command)
    task_id = submitted(before, stack)
    saved, submitted_at = Folder(command.local).saved, time.time()
    deadline = time.monotonic() + 30
    while saved.stat().st_mtime < submitted_at:
        assert time.monotonic() < deadline
        time.sleep(0.05)

    # WHEN the engine is killed, and the next start is refused in the middle
    os.killpg(before["pid"], signal.SIGKILL)
    kept = saved.read_bytes()
    refused = command.run(*UP, "--set", "TaskLifetimeSeconds=59")

    # THEN the message says why, nothing runs, and what is kept is as it was
    assert refused.returncode == 2
    assert "TaskLifetimeSeconds cannot be '59'" in refused.stderr
    assert command.engine is None
    assert saved.read_bytes() == kept

    # WHEN it is started as before
    after, stack = started(command)
    # THEN task and message are there
    assert api_of(after).get(f"/monitoring/task_status/{task_id}").expect(200)["status"] == "queued"
    assert queue_depth(stack, "HighQueueUrl") == 1


def test_a_state_that_the_engine_cannot_restore_is_explained_and_can_be_discarded(command: Command) -> None:
    # GIVEN a saved state with a service that the engine does not have
    started(command, "--no-sample")
    command.run("down")
    saved = Folder(command.local).saved
    saved.write_text(json.dumps(json.loads(saved.read_text()) | {"services": {"teleport": {}}}))

    # WHEN
    up = command.run(*UP)

    # THEN nothing runs, and nothing is lost
    assert up.returncode == 3
    assert "Traceback" not in up.stderr
    assert "matchcast up --new" in up.stderr
    assert command.engine is None
    assert saved.exists()

    # WHEN it is discarded
    stopped = command.run("down", "--discard", "--json")
    # THEN nothing is left to continue
    assert json.loads(stopped.stdout) == {"stopped": False, "kept": False}
    assert not Folder(command.local).kept.exists()
