"""Sweeps of tens of thousands of dead letters, and what an alarm sees of them meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby

from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.adapters.sqs_dead_letters import SQSDeadLetters
from matchcast.domain.task import Priority, utc_now
from matchcast.messages import encode
from matchcast.tasks.sweep import SweepDeadLetters, Swept
from tests.proofs.claims import Claims
from tests.proofs.engine import Storage
from tests.support.tasks import a_task
from tests.support.template import load

CALLS_AT_ONCE = 16
HAND_BACK_SECONDS = 45
MOST_SWEEPS = 8
LOOK_SECONDS = 0.5
ALARM_SECONDS = 900
STATES = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


def sweeping(stored: Storage, claims: Claims, letters: int) -> None:
    """Sweep letters whose tasks are still queued, until a sweep finds that all of them have failed."""
    fill(stored, letters)
    table = DynamoDBTasks(stored.dynamodb, stored.table, stored.shards)
    dead = SQSDeadLetters(stored.sqs, stored.dead_letters, calls_at_once=CALLS_AT_ONCE)
    limit = load()["Resources"]["SweepDeadLettersFunction"]["Properties"]["Timeout"] - HAND_BACK_SECONDS
    # The engine looks through its whole queue in each call, so that many letters are slow there; a letter's share of
    # the processor is the sweep's own.
    runs: list[tuple[Swept, float]] = []
    cpu_ms: list[float] = []
    with ThreadPoolExecutor(CALLS_AT_ONCE) as threads, watched(stored) as depths:
        sweep = SweepDeadLetters(dead, table, utc_now, threads)
        while not runs or (runs[-1][0].failed and len(runs) < MOST_SWEEPS):
            started, cpu = time.monotonic(), time.process_time()
            swept = sweep.sweep(lambda started=started: time.monotonic() - started < limit)  # type: ignore[misc]
            runs.append((swept, time.monotonic() - started))
            cpu_ms.append(round((time.process_time() - cpu) * 1000 / swept.letters, 2))
            claims.say(f"sweep {len(runs)}: {swept.letters} letters, {swept.failed} failed, {runs[-1][1]:.1f} s")
    failed = sum(swept.failed for swept, _ in runs)
    last, seconds = runs[-1]
    claims.hold(
        "every task has failed, and one sweep within the function's time sees every letter",
        holds=failed == letters == last.letters and seconds < limit,
        letters=letters,
        sweeps=[[swept.letters, swept.failed, round(seconds, 1)] for swept, seconds in runs],
        letters_per_second=round(last.letters / seconds),
        cpu_ms_per_letter=cpu_ms,
    )
    hidden = max(len(list(looks)) if none else 0 for none, looks in groupby(depths, lambda depth: depth[0] == 0))
    claims.hold(
        "no letter is lost while it is hidden, and all are hidden for less time than an alarm goes on without any",
        holds=min(map(sum, depths)) == letters and hidden * LOOK_SECONDS < ALARM_SECONDS,
        fewest_visible=min(visible for visible, _ in depths),
        fewest_visible_and_hidden=min(map(sum, depths)),
        longest_without_a_visible_letter_seconds=hidden * LOOK_SECONDS,
    )
    after = depth(stored)
    claims.hold("afterwards every letter is visible", holds=after == (letters, 0), visible_after=after[0])


def fill(stored: Storage, letters: int) -> None:
    """Put letters without a cause into the normal lane's queue, of tasks that no table knows yet."""
    queue = stored.dead_letters[Priority.NORMAL]

    def send(start: int) -> None:
        bodies = [encode(a_task(created_at=utc_now())) for _ in range(start, min(start + 10, letters))]
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        stored.sqs.send_message_batch(QueueUrl=queue, Entries=entries)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(send, range(0, letters, 10)))


def depth(stored: Storage) -> tuple[int, int]:
    """Return how many letters are visible and how many are hidden."""
    queue = stored.dead_letters[Priority.NORMAL]
    found = stored.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=list(STATES))["Attributes"]
    return int(found[STATES[0]]), int(found[STATES[1]])


@contextmanager
def watched(stored: Storage) -> Iterator[list[tuple[int, int]]]:
    """Look at the queue's depth every half second while the block runs, as its metrics would."""
    depths, ended = [depth(stored)], threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            depths.append(depth(stored))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield depths
    finally:
        ended.set()
        watcher.join()
