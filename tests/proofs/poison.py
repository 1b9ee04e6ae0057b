"""Every form of poison among good tasks of a running stack."""

from __future__ import annotations

import time
from collections import Counter

from matchcast.domain.task import Priority, utc_now
from tests.proofs.bench import Bench
from tests.proofs.claims import Claims
from tests.support.laptop import queue_depth
from tests.support.poison import FORMS, HARMLESS, UNREADABLE, WRONG, Form
from tests.support.tasks import a_task

DEAD_LETTER_QUEUES = ("HighDeadLetterQueueUrl", "NormalDeadLetterQueueUrl")


def poison(work: Bench, claims: Claims, *, good: int, broken: int) -> None:
    """Good tasks among every form of poison, and among tasks of a broken model."""
    claims.say("releasing a model under the stage `flaky`, which then breaks")
    flaky = work.release_timed_model("flaky")
    flaky.behave(broken=True)
    claims.say(
        f"{good} good tasks; among them {len(UNREADABLE)} forms of unreadable messages in both lanes, {len(WRONG)} "
        f"forms of wrong tasks and {len(HARMLESS)} of harmless ones, and {broken} tasks of the broken model"
    )
    ids = work.submit("champion", ["high" if number % 2 else "normal" for number in range(good // 2)])
    bent = send_forms(work)
    unreadable = 2 * len(UNREADABLE)
    doomed = work.submit("flaky", ["normal"] * broken)
    poisoned = unreadable + broken
    ids += work.submit("champion", ["high" if number % 2 else "normal" for number in range(good - good // 2)])
    ended = work.wait_for([*doomed, *ids], seconds=300)
    succeeded = sum(ended[task_id]["status"] == "succeeded" for task_id in ids)
    failed = sum(ended[task_id]["status"] == "failed" for task_id in doomed)
    give_up = time.monotonic() + 30
    while dead_letters(work) < poisoned and time.monotonic() < give_up:
        time.sleep(1)
    causes: Counter[str] = Counter()
    for row in work.command.json("dlq", "list"):
        causes[row["cause"]] += row["letters"]
    different = different_letters(work)
    bent_ends = Counter(form.name for form, task_id in bent if end_of(work, task_id) != form.end)
    claims.hold(
        "every good task succeeds, every poisoned message is a dead letter, every doomed task says so",
        holds=succeeded == good
        and different == poisoned
        and set(causes) == {"invalid-message", "model-failed"}
        and failed == len(doomed)
        and not bent_ends,
        good=good,
        forms=len(FORMS),
        forms_that_ended_otherwise=sorted(bent_ends),
        succeeded=succeeded,
        poisoned=poisoned,
        dead_letters=different,
        letters_sent_twice=causes.total() - different,
        causes=dict(causes),
    )
    claims.say("mending the model, then `matchcast dlq redrive`")
    flaky.behave()
    redriven = work.command.json("dlq", "redrive", "--rate", "1000")
    again = work.wait_for(doomed, seconds=120)
    completed = [task for task in again.values() if (task["status"], task["generation"]) == ("succeeded", 1)]
    claims.hold(
        "the redrive completes the tasks under their own ids, and leaves what has none",
        holds=redriven["redriven"] == len(completed) == len(doomed)
        and redriven["no task"] == causes["invalid-message"],
        redriven=redriven["redriven"],
        completed_under_the_same_id=len(completed),
        left_without_a_task=redriven["no task"],
    )
    work.command.json("dlq", "discard", "--yes", "--rate", "1000")


def different_letters(work: Bench) -> int:
    """Return how many different dead letters there are: an answer that is lost has the SDK send one twice."""
    sqs, found, hide_seconds = work.stack.client("sqs"), set[tuple[str, str]](), 20
    for output in DEAD_LETTER_QUEUES:
        url = work.stack.output(output)
        while letters := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=hide_seconds).get(
            "Messages"
        ):
            found |= {(url, letter["Body"]) for letter in letters}
    time.sleep(hide_seconds + 1)
    return len(found)


def send_forms(work: Bench) -> list[tuple[Form, str]]:
    """Send every form to both lanes; return those that end as tasks, with their ids."""
    sqs, match, sent = work.stack.client("sqs"), work.matches[0], list[tuple[Form, str]]()
    for form in FORMS:
        for lane in Priority:
            now = utc_now()
            task = a_task(match_id=match, priority=lane, created_at=now)
            queue = work.stack.output(f"{lane.capitalize()}QueueUrl")
            sqs.send_message(QueueUrl=queue, MessageBody=form.body(task))
            if form.end != "dead letter":
                sent.append((form, task.task_id))
    return sent


def end_of(work: Bench, task_id: str) -> str:
    """Return how a task of any tenant ended, out of the table."""
    key = {"pk": {"S": f"task#{task_id}"}, "sk": {"S": "task"}}
    table = work.stack.output("TasksTableName")
    item = work.stack.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
    return str(item.get("status", {}).get("S"))


def dead_letters(work: Bench) -> int:
    """Return how many dead letters both lanes have."""
    return sum(queue_depth(work.stack, output, hidden=True) for output in DEAD_LETTER_QUEUES)
