"""`make prove-tasks`: the task lifecycle on a laptop stack, under load, poison, kills and slow models."""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections import Counter
from datetime import datetime
from typing import Annotated

import typer

from tests.proofs.bench import Bench, bench
from tests.proofs.broken_candidates import broken_candidates
from tests.proofs.claims import Claims
from tests.proofs.crashes import every_function_killed
from tests.proofs.poison import poison
from tests.support.laptop import Lanes, queue_depth

WAIT_SECONDS = 3
VISIBILITY_SECONDS = 15


def main(
    tasks: Annotated[int, typer.Option(min=20, help="How many tasks a lane gets at once.")] = 1000,
) -> None:
    """Show on a laptop stack that accepted tasks end once, whatever happens, and that high ones overtake."""
    claims = Claims()
    claims.say("starting a laptop stack whose images serve Python models, with the sample league")
    with bench("--set", "MaxOpenBatches=1000") as work:
        one_key(work, claims)
        poison(work, claims, good=2 * tasks, broken=tasks // 20)
        broken_candidates(work, claims)
        killed(work, claims)
        every_function_killed(work, claims)
        slow(work, claims)
        priority(work, claims, tasks)
    claims.finish()


def one_key(work: Bench, claims: Claims) -> None:
    """A hundred equal requests with one key, at once: one task, one message."""
    claims.say("100 equal POSTs at once with one Idempotency-Key, while no worker receives")
    lanes = Lanes(work.stack)
    lanes.rest()
    time.sleep(0.5)
    match, headers = work.matches[0], {"Idempotency-Key": f"proof-{time.time_ns()}"}
    answers = work.at_once(
        lambda _: work.api.post("/predict/async/", {"match_id": match}, headers), range(100), threads=100
    )
    ids = {answer.json.get("task_id") for answer in answers}
    messages = queue_depth(work.stack, "NormalQueueUrl")
    claims.hold(
        "one task and one message, and every request is told so",
        holds={answer.status for answer in answers} == {202} and len(ids) == 1 and messages == 1,
        same_key_requests=len(answers),
        same_key_tasks=len(ids),
        same_key_messages=messages,
    )
    lanes.wake()


def killed(work: Bench, claims: Claims, *, number: int = 100, kills: int = 3) -> None:
    """Workers killed in the middle of a batch: the messages come again, and every task ends once."""
    claims.say(f"releasing a model that takes 50 ms a row; a worker is killed in the middle of a batch, {kills} times")
    timed = work.release_timed_model("slow")
    timed.behave(seconds_per_row=0.05)
    sqs, queue = work.stack.client("sqs"), work.stack.output("NormalQueueUrl")
    # Minutes by default, more than any worker takes; here nobody wants to wait for them.
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)})
    ids = work.submit("slow", ["normal"] * number)
    victims: set[int] = set()
    give_up = time.monotonic() + 120
    while len(victims) < kills and time.monotonic() < give_up:
        begun, ended = (Counter(call["pid"] for call in timed.calls(what)) for what in ("begin", "end"))
        for pid in (begun - ended).keys() - victims:
            os.kill(pid, signal.SIGKILL)
            victims.add(pid)
            break
        time.sleep(0.2)
    tasks = work.wait_for(ids, seconds=180)
    succeeded = sum(task["status"] == "succeeded" for task in tasks.values())
    claims.hold(
        "every task of the killed workers succeeds, in its first generation and without a failed attempt",
        holds=len(victims) == kills
        and succeeded == number
        and all((task["generation"], task["attempts"]) == (0, 0) for task in tasks.values()),
        killed_workers=len(victims),
        tasks_in_their_batches=number,
        lost_after_kills=number - succeeded,
    )
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "420"})


def slow(work: Bench, claims: Claims) -> None:
    """A model of 40 s: with `Prefer` a task in time, without it an honest 504."""
    claims.say("releasing a model that takes 40 s, under the stage `long`")
    timed = work.release_timed_model("long")
    timed.behave(seconds=40)
    match = work.matches[0]
    headers = {"Prefer": f"wait={WAIT_SECONDS}, respond-async"}
    started = time.monotonic()
    answer = work.api.request("GET", f"/predict/{match}?stage=long", headers=headers)
    seconds = round(time.monotonic() - started, 2)
    claims.say(f"{answer.status} after {seconds} s; waiting for the task and the delayed message of its safety net")
    task = work.api.wait(answer.json["task_id"], seconds=80)
    give_up = time.monotonic() + 120
    while queue_depth(work.stack, "HighQueueUrl", hidden=True) and time.monotonic() < give_up:
        time.sleep(2)
    predictions = len(timed.calls("begin"))
    claims.hold(
        f"wait={WAIT_SECONDS} is answered 202 within {WAIT_SECONDS + 1} s, and the model runs once",
        holds=answer.status == 202
        and seconds < WAIT_SECONDS + 1
        and predictions == 1
        and task["status"] == "succeeded",
        prefer_status=answer.status,
        prefer_seconds=seconds,
        predictions=predictions,
    )
    claims.say("the same without Prefer")
    started = time.monotonic()
    answer = work.api.request("GET", f"/predict/{match}?stage=long")
    seconds = round(time.monotonic() - started, 2)
    claims.hold(
        "without Prefer the answer is a 504 of our own within 30 s",
        holds=answer.status == 504 and seconds < 30 and answer.json["status"] == 504,
        late_status=answer.status,
        late_seconds=seconds,
    )


def priority(work: Bench, claims: Claims, number: int) -> None:
    """High tasks overtake a backlog of normal ones, and no normal one waits for ever."""
    claims.say(
        f"{number} normal tasks wait; {number} high and {number} normal ones are sent together; "
        "a model of 50 ms a prediction, two workers for each lane"
    )
    # Workers of both lanes that have the model already: what is measured is the waiting, not the loading.
    work.wait_for(work.submit("slow", ["high", "normal"] * 20), seconds=60)
    lanes = Lanes(work.stack)
    lanes.rest()
    time.sleep(0.5)
    backlog = work.submit("slow", ["normal"] * number)
    together = work.submit("slow", ["high" if position % 2 else "normal" for position in range(2 * number)])
    claims.say("all are queued; the workers wake up")
    started = time.time()
    lanes.wake()
    tasks = work.wait_for([*backlog, *together], seconds=600)
    waits = {
        lane: sorted(
            datetime.fromisoformat(tasks[task_id]["completed_at"]).timestamp() - started
            for task_id in together
            if tasks[task_id]["priority"] == lane and tasks[task_id]["status"] == "succeeded"
        )
        for lane in ("high", "normal")
    }
    succeeded = sum(task["status"] == "succeeded" for task in tasks.values())
    high, normal = (round(statistics.median(waits[lane] or [0.0]), 2) for lane in ("high", "normal"))
    claims.hold(
        "the high ones wait less than a fifth of what the normal ones sent with them wait, and all succeed",
        holds=succeeded == 3 * number and high < normal / 5,
        backlog=number,
        median_wait_high=high,
        median_wait_normal=normal,
        wait_ratio=round(high / normal, 3) if normal else None,
        longest_wait=round(max(waits["normal"] or [0.0]), 2),
        unfinished=3 * number - succeeded,
    )


if __name__ == "__main__":
    typer.run(main)
