"""Tasks and batches with callbacks, while workers are killed and their receiver fails, hangs and drops."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Any

from matchcast_tools.stack.webhooks import WebhookClient
from tests.proofs.bench import Bench
from tests.proofs.callback_receiver import BadReceiver, bad_receiver
from tests.proofs.claims import Claims
from tests.proofs.storm import environments
from tests.support.laptop import Lanes

FUNCTION = "deliver_webhooks"
KILLS = 8
VISIBILITY_SECONDS = 20
PATIENCE_SECONDS = 900
"""An attempt whose worker was killed counts after two minutes, and the third one comes after five more."""


def storm(work: Bench, claims: Claims, number: int) -> None:
    """Deliver so many events under kills and a bad receiver."""
    claims.say(f"{number} tasks and batches with a callback; workers of {FUNCTION} are killed meanwhile, {KILLS} times")
    client = WebhookClient(work.api)
    secrets = [str(client.create_secret()["secret"]) for _ in range(2)]
    sqs, queue = work.stack.client("sqs"), work.stack.output("WebhooksQueueUrl")
    # Minutes by default, more than any worker takes; here nobody wants to wait for them.
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)})
    with bad_receiver(secrets) as receiver:
        killer = _Killer(work)
        killer.start()
        expected = submitted(work, number, f"{receiver.origin}/callbacks")
        for missing in receiver.wait_for(set(expected), PATIENCE_SECONDS):
            sweep(work)
            if len(missing) < number // 10:
                killer.stop()
        killer.stop()
        states = ended(work, client, expected)
        hold(claims, receiver, expected, states, killer.killed)
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "360"})


def submitted(work: Bench, number: int, url: str) -> dict[str, tuple[str, str]]:
    """Submit tasks that succeed, tasks that are cancelled, and batches; return subject and type by event id."""
    matches, lanes = work.matches, Lanes(work.stack)
    lanes.rest()

    def one(position: int) -> tuple[str, str]:
        match = matches[position % len(matches)]
        if position % 10 == 0:
            batch = work.api.post("/predict/batch/", {"match_ids": [match], "callback_url": url}).expect(202)
            return str(batch["batch_id"]), "batch.completed"
        task_id = str(work.api.post("/predict/async/", {"match_id": match, "callback_url": url}).expect(202)["task_id"])
        if position % 10 != 1:
            return task_id, "task.succeeded"
        work.api.request("DELETE", f"/predict/async/{task_id}").expect(200)
        return task_id, "task.cancelled"

    subjects = work.at_once(one, range(number))
    lanes.wake()
    return {f"evt_{subject.replace('-', '')}_0": (subject, kind) for subject, kind in subjects}


def sweep(work: Bench) -> None:
    """Do what the schedule does every five minutes; a sweep that is killed is made again."""
    name = work.stack.output("DeliverWebhooksFunctionName")
    work.stack.client("lambda").invoke(FunctionName=name, Payload=b"{}")


def ended(work: Bench, client: WebhookClient, expected: dict[str, tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """Return the deliveries by event id, as soon as none is pending: a worker may die between answer and record."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = work.at_once(lambda event: client.deliveries(expected[event][0]), sorted(expected))
        deliveries = {each["event_id"]: each for some in found for each in some}
        pending = [each for each in deliveries.values() if each["state"] == "pending"]
        if not pending or time.monotonic() > give_up:
            return deliveries
        sweep(work)
        time.sleep(3)


def hold(
    claims: Claims,
    receiver: BadReceiver,
    expected: dict[str, tuple[str, str]],
    states: dict[str, dict[str, Any]],
    killed: int,
) -> None:
    """Hold what came against what was expected."""
    ids = Counter(event_id[:-2] for event_id in receiver.attempts)
    types = {
        event_id: kind
        for event_id, (_, kind) in expected.items()
        if f'"type":"{kind}"'.encode() in receiver.bodies.get(event_id, b"")
    }
    delivered = set(receiver.acknowledged) & set(expected)
    claims.hold(
        "every event arrives, and no subject has two ids",
        holds=delivered == set(expected) == set(receiver.attempts) and max(ids.values()) == 1 and killed >= 3,
        events=len(expected),
        delivered=len(delivered),
        duplicates=sum(ids.values()) - len(ids),
        killed_workers=killed,
        first_attempts_failed=sum(count > 1 for count in receiver.attempts.values()),
        sent_again_after_an_answer=sum(receiver.acknowledged.values()) - len(receiver.acknowledged),
    )
    claims.hold(
        "every request verifies with the package standardwebhooks, and none whose body differs by a byte",
        holds=not receiver.not_genuine and not receiver.changed_but_genuine and len(types) == len(expected),
        requests=sum(receiver.attempts.values()),
        not_genuine=len(receiver.not_genuine),
        changed_but_genuine=receiver.changed_but_genuine,
    )
    delivered_states = Counter(each["state"] for each in states.values())
    claims.hold(
        "the tenant sees every event as delivered, with its attempts",
        holds=delivered_states == {"delivered": len(expected)},
        states=dict(delivered_states),
    )


class _Killer(threading.Thread):
    """Kills environments of the function, one every other second."""

    def __init__(self, work: Bench) -> None:
        super().__init__(daemon=True)
        self.killed = 0
        self._work, self._over = work, threading.Event()

    def run(self) -> None:
        while not self._over.wait(random.uniform(1.0, 3.0)) and self.killed < KILLS:
            alive = environments(self._work, FUNCTION)
            if alive:
                with suppress(ProcessLookupError):  # it has ended by itself
                    os.kill(random.choice(alive), signal.SIGKILL)
                    self.killed += 1

    def stop(self) -> None:
        """Kill no more."""
        self._over.set()
        if self.is_alive():
            self.join()
