"""Environments of every function killed under load: nothing accepted is lost, changed or made twice."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from matchcast.domain.task import TaskStatus
from tests.proofs.bench import Bench
from tests.proofs.claims import Claims
from tests.proofs.storm import BATCH_ROWS, CLIENTS, Storm
from tests.support.laptop import Lanes

FUNCTIONS = (
    "submit_prediction",
    "predict_now",
    "track_tasks",
    "manage_batches",
    "sweep_dead_letters",
    "run_inference",
    "split_batch",
)
STAGE = "slow"
VISIBILITY_SECONDS = 15
VISIBILITY_BY_DEFAULT = {"HighQueueUrl": 420, "NormalQueueUrl": 420, "BatchesQueueUrl": 1800}
BATCH_SECONDS = 240
SWEEP_SECONDS = 330
"""A sweep that was killed hides its letters for 270 s."""
QUEUES = {"HighQueueUrl": "HighDeadLetterQueueUrl", "NormalQueueUrl": "NormalDeadLetterQueueUrl"}


def every_function_killed(work: Bench, claims: Claims, *, kills: int = 8, orphans: int = 10) -> None:
    """Kill environments of every function under load; each accepted task ends once, as if nothing had happened."""
    hide_messages(work, VISIBILITY_SECONDS)
    dead = dead_lettered(work, orphans)
    storm = Storm(work, STAGE)
    claims.say(
        f"{CLIENTS} clients submit tasks and batches, wait, cancel and retry, each with a key, and repeat what fails; "
        f"meanwhile {kills} environments of each function are killed"
    )
    storm.run(dict.fromkeys(FUNCTIONS, kills), also=lambda: sweep(work))
    told = set(storm.accepted.values())
    claims.say(f"{len(told)} tasks, {storm.repeated} requests repeated; waiting until all have ended")
    tasks = work.wait_for(sorted(told), seconds=240)
    listed = set(ids_since(work, min(dead))) - set(dead)
    unfinished = [task for task in tasks.values() if not TaskStatus(task["status"]).is_final]
    moved = [key for key, task_id in storm.accepted.items() if storm.task_of(key) != task_id]
    claims.hold(
        "every task that a client was told of ends, and each key has one task, whenever its request is repeated",
        holds=all(storm.killed[name] == kills for name in FUNCTIONS)
        and storm.repeated > 0
        and tasks.keys() == told == listed
        and len(told) + len(storm.batches) == len(storm.requests)
        and not unfinished
        and not moved,
        kills_by_function=dict(storm.killed),
        requests_repeated=storm.repeated,
        keys=len(storm.accepted),
        tasks_of_keys=len(listed),
        lost_in_the_storm=len(told - tasks.keys()) + len(unfinished),
        keys_whose_task_changed=len(moved),
    )
    changed = [task_id for task_id, seen in storm.ended.items() if seen != tasks[task_id]]
    unlike = [task_id for task_id, answer in storm.waited.items() if answer != tasks[task_id]["result"]]
    succeeded = {task_id: task["result"] for task_id, task in tasks.items() if task["status"] == "succeeded"}
    different = different_on_demand(work, storm, succeeded)
    causes = until_swept(work, dead)
    claims.hold(
        "no end that a client saw changes, every result is the on-demand answer, and what SQS dead-lettered has failed",
        holds=not changed and not unlike and not different and bool(succeeded) and causes == {"dead-lettered": orphans},
        ends_seen=len(storm.ended),
        ends_that_changed=len(changed),
        answers_unlike_their_task=len(unlike),
        ends=dict(Counter(task["status"] for task in tasks.values())),
        results_unlike_on_demand=len(different),
        swept=causes,
    )
    batches_end(work, storm, claims)
    work.command.json("dlq", "discard", "--yes", "--rate", "1000")
    hide_messages(work, None)


def batches_end(work: Bench, storm: Storm, claims: Claims) -> None:
    """Hold that each batch of the storm ends with each of its rows, and that its key stays with it."""
    give_up = time.monotonic() + BATCH_SECONDS
    while True:
        found = [work.api.get(f"/predict/batch/{batch_id}").expect(200) for batch_id in storm.batches.values()]
        ends = Counter(str(batch["status"]) for batch in found)
        if set(ends) <= {"succeeded"} or time.monotonic() > give_up:
            break
        time.sleep(2)
    counts = [batch["counts"] for batch in found]
    moved = [key for key, batch_id in storm.batches.items() if storm.batch_of(key) != batch_id]
    claims.hold(
        "every batch that a client was told of succeeds with each of its rows, and each key has one batch",
        holds=bool(found)
        and set(ends) == {"succeeded"}
        and all((each["total"], each["succeeded"]) == (BATCH_ROWS, BATCH_ROWS) for each in counts)
        and not moved,
        batches=len(found),
        ends=dict(ends),
        keys_whose_batch_changed=len(moved),
    )


def hide_messages(work: Bench, seconds: int | None) -> None:
    """Have received messages come again after so long: minutes by default, for which nobody wants to wait here."""
    for queue, default in VISIBILITY_BY_DEFAULT.items():
        url, attributes = work.stack.output(queue), {"VisibilityTimeout": str(seconds or default)}
        work.stack.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=attributes)


def dead_lettered(work: Bench, number: int) -> list[str]:
    """Return tasks whose messages are dead letters, as SQS moves them there when every worker dies."""
    sqs, lanes = work.stack.client("sqs"), Lanes(work.stack)
    lanes.rest()
    time.sleep(0.5)
    ids = work.submit(STAGE, ["normal", "high"] * (number // 2))
    for queue, letters in QUEUES.items():
        url = work.stack.output(queue)
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                sqs.send_message(QueueUrl=work.stack.output(letters), MessageBody=message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    lanes.wake()
    return ids


def sweep(work: Bench) -> None:
    """Have the dead letters swept; a sweep that is killed is no fault of this call."""
    try:
        work.stack.client("lambda").invoke(FunctionName=work.stack.output("SweepDeadLettersFunctionName"))
    except (ClientError, BotoCoreError):
        return
    time.sleep(0.2)


def until_swept(work: Bench, task_ids: list[str]) -> dict[str, int]:
    """Sweep until the tasks have ended, and return why they say they did."""
    give_up = time.monotonic() + SWEEP_SECONDS
    while True:
        sweep(work)
        tasks = work.tasks(task_ids).values()
        if all(task["status"] != "queued" for task in tasks) or time.monotonic() > give_up:
            return dict(Counter(task["error"]["code"] if task["error"] else task["status"] for task in tasks))
        time.sleep(5)


def ids_since(work: Bench, oldest: str) -> list[str]:
    """Return the ids of the tenant's tasks, those after `oldest`; ids sort by their creation."""
    ids, cursor = list[str](), None
    while True:
        page = work.api.get("/predict/async/", limit=100, cursor=cursor).expect(200)
        ids += [task["task_id"] for task in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None or ids[-1] < oldest:
            return [task_id for task_id in ids if task_id > oldest]


def different_on_demand(work: Bench, storm: Storm, results: dict[str, dict[str, Any]]) -> list[str]:
    """Return the tasks whose result is not what the model says of their subject on demand."""
    requests = {task_id: storm.requests[key] for key, task_id in storm.accepted.items()}
    answers: dict[str, tuple[Any, ...]] = {}
    different = []
    for task_id, result in results.items():
        path, body = requests[task_id]
        if path.endswith("/retry"):
            _, body = requests[path.split("/")[3]]
        subject = str(body.get("match_id") or body["features"])
        if subject not in answers:
            by_match = f"/predict/{body.get('match_id')}?stage={STAGE}"
            asked = work.api.get(by_match) if "match_id" in body else work.api.post("/predict/", body)
            answers[subject] = said(asked.expect(200))
        if said(result) != answers[subject]:
            different.append(task_id)
    return different


def said(prediction: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a prediction says, to the sixth digit, and of which model."""
    return (*(round(prediction[name], 6) for name in ("home", "draw", "away")), prediction["model"]["run_id"])
