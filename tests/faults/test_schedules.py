"""The gate's share of the schedules: no promise is broken, every mutant is caught, and every kind of event occurs."""

from __future__ import annotations

from tests.faults.mutants import MUTANTS
from tests.faults.runs import run
from tests.faults.schedule import run_schedule

GATE_SCHEDULES = 300
GATE_SEED = 300_000


def test_no_schedule_loses_a_task_or_changes_a_result_and_every_mutant_is_caught() -> None:
    report = run(GATE_SCHEDULES, GATE_SEED)

    assert {seed: found.lines() for seed, found in report.findings.items()} == {}
    assert [hunt.mutant for hunt in report.hunts if hunt.schedules is None] == []
    assert len(report.hunts) == len({mutant.name for mutant in MUTANTS}) >= 6
    assert report.is_good


def test_a_seed_gives_the_same_schedule_again() -> None:
    first, again, other = (run_schedule(seed, tracing=True) for seed in (11, 11, 12))

    assert first.trace == again.trace != other.trace
    assert first.trace


def test_schedules_contain_every_kind_of_event() -> None:
    # WHEN some schedules run
    steps = "\n".join(step for seed in range(60) for step in run_schedule(seed, tracing=True).trace)

    # THEN every kind of event and fault occurs
    for words in (
        "killed before it",
        "killed after it",
        "its answer got lost",
        "out of reach",
        "sent again by the SDK",
        "it took too long",
        "the queue dead-letters",
        "finish as cancelled",
        "finish as expired",
        "bury",
        "reopen",
        "moved on",
        "no task",
        "invoke the inference",
    ):
        assert words in steps
