"""The gate's share of the schedules: no promise is broken, mutants are caught, and every kind of event occurs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

from tests.faults.mutants import MUTANTS
from tests.faults.runs import run
from tests.faults.schedule import run_schedule

GATE_SCHEDULES = 150
GATE_SEED = 300_000
QUICK = (
    "every good prediction failed",
    "every receive expired",
    "the breaker never allows",
    "the first fault gives up",
    "202 before the record",
    "message deleted before the write",
    "sweep off",
    "unprocessed keys ignored",
    "an unknown stage is an outage",
    "a client's fault is buried",
    "a body that breaks off is no outage",
    "counts added without the transaction",
    "the join is sent by an old record",
    "the record before the inputs of its parts",
    "the input is not pinned",
    "a retry counts its wrong rows no more",
    "output files without generation",
    "a queue outage drops stream records",
    "a repeated stream record makes a new id",
    "a new event replaces its record",
    "a lost answer is a delivery",
    "the tenth attempt is not the last",
    "a range is not replayed",
    "an old secret signs after its end",
)
"""Mutants that few schedules catch; `make faults` hunts them all."""
EVENTS = (
    "killed before it",
    "killed after it",
    "killed, it took too long",
    "its answer got lost",
    "out of reach",
    "stops for",
    "some keys are left out",
    "the model takes",
    "has to come again",
    "cancelled -> done",
    "expired -> done",
    "failed -> done",
    "SendMessage high-dead",
    "in 90 s",
    "redrive of",
    "discard of",
    "invoke run_inference",
    "days later",
    "TransactWriteItems",
    "SendMessage batches-dead",
    "CompleteMultipartUpload",
    "cancelling -> done",
    "running -> done",
    "retry-failed",
    "POST /predict/batch/uploads",
    "is answered with 409",
    "is answered with 410",
    "is answered with 422",
    "is answered with 429",
    "is answered with 503",
    " -> 304",
    "ListObjectsV2 models/releases/",
    "PutObject snapshots/manifest.json",
    "is gone",
    "is damaged",
    "is back",
    "is not what was published",
    "is Kind(",
    "records from",
    "stream, again",
    "SendMessage webhooks-dead",
    "hangs -> DeliveryFailed",
    "shuts -> DeliveryFailed",
    "leads inside -> AddressRefused",
    "swept {'sent': 1",
    "POST /webhooks/replay",
    "/enable  is answered with 200",
)
DIGEST = "import sys; from tests.faults.test_schedules import digest; print(digest(range(11, 21)))"


def test_no_schedule_breaks_a_promise_and_mutants_are_caught() -> None:
    report = run(GATE_SCHEDULES, GATE_SEED, mutants=QUICK)

    assert {seed: found.lines() for seed, found in report.findings.items()} == {}
    assert [hunt.mutant for hunt in report.hunts if hunt.schedules is None] == []
    assert len(report.hunts) == len(QUICK) < len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert report.is_good


def test_a_seed_gives_the_same_schedule_again_in_every_process() -> None:
    # WHEN schedules run here, and in a process that orders its sets otherwise
    here = digest(range(11, 21))
    other = subprocess.run(
        [sys.executable, "-c", DIGEST],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )

    # THEN every step is the same, and another seed has other steps
    assert other.stdout.strip() == here != digest(range(12, 22))


def test_schedules_contain_every_kind_of_event() -> None:
    missing = set(EVENTS)
    for seed in range(1000):
        steps = "\n".join(run_schedule(seed, tracing=True).trace)
        missing = {words for words in missing if words not in steps}
        if not missing:
            break

    assert missing == set()


def digest(seeds: range) -> str:
    """Return a digest of all steps of some schedules."""
    steps = [step for seed in seeds for step in run_schedule(seed, tracing=True).trace]
    return hashlib.sha256("\n".join(steps).encode()).hexdigest()
