"""Many schedules, and the hunt for every mutant, spread over processes."""

from __future__ import annotations

import faulthandler
import gc
import logging
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

import pyarrow

from tests.faults.findings import KINDS, Findings
from tests.faults.mutants import MUTANTS
from tests.faults.schedule import Verdict, run_schedule

MOST_SCHEDULES_FOR_A_MUTANT = 6000
ALL_MUTANTS = tuple(mutant.name for mutant in MUTANTS)
_CHUNK = 50
_LONGEST_SECONDS = 300


@dataclass
class Hunt:
    """After how many schedules a mutant was caught, and by what; None where it got away."""

    mutant: str
    schedules: int | None = None
    finding: str = ""


@dataclass
class Report:
    """What many schedules showed. `findings` holds those of every schedule that showed any, by its seed."""

    schedules: int
    seed: int
    findings: dict[int, Findings] = field(default_factory=dict)
    hunts: list[Hunt] = field(default_factory=list)

    @property
    def figures(self) -> dict[str, int]:
        """Return the counts that are the outcome."""
        return {
            "schedules": self.schedules,
            "seed": self.seed,
            **{kind: sum(len(getattr(found, kind)) for found in self.findings.values()) for kind in KINDS},
            "mutants": len(self.hunts),
            "mutants_killed": sum(hunt.schedules is not None for hunt in self.hunts),
        }

    @property
    def is_good(self) -> bool:
        """Return whether nothing was found, except every mutant."""
        return not self.findings and all(hunt.schedules is not None for hunt in self.hunts)


def run(
    schedules: int,
    seed: int,
    progress: Callable[[int, dict[int, Findings]], None] | None = None,
    mutants: Sequence[str] = ALL_MUTANTS,
) -> Report:
    """Run the schedules of the seeds from `seed` on, and hunt mutants with the same ones.

    `progress` is called with the number of schedules that were run, and with what they showed.
    """
    report = Report(schedules, seed)
    seeds = range(seed, seed + schedules)
    chunks = [seeds[start : start + _CHUNK] for start in range(0, schedules, _CHUNK)]
    numbers = [number for number, mutant in enumerate(MUTANTS) if mutant.name in mutants]
    # Not forked: a forked process would inherit this one's threads in whatever state they are.
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn"), spare) as processes:
        hunts = [processes.submit(hunt, number, seed) for number in numbers]
        pending = {processes.submit(try_all, chunk): len(chunk) for chunk in chunks}
        for done in as_completed(pending):
            report.findings |= done.result()
            if progress is not None:
                progress(pending[done], done.result())
        report.hunts = [one.result() for one in hunts]
    return report


def spare() -> None:
    """Spare a process that runs many schedules the work that no schedule needs."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    logging.disable(logging.DEBUG)
    pyarrow.set_cpu_count(1)


def try_all(seeds: Sequence[int]) -> dict[int, Findings]:
    """Return the findings of those schedules that showed any."""
    verdicts = map(watched, seeds)
    return {verdict.seed: verdict.findings for verdict in verdicts if verdict.findings}


def watched(seed: int) -> Verdict:
    """Run a schedule; where it waits for something outside of virtual time, end the process and say where."""
    faulthandler.dump_traceback_later(_LONGEST_SECONDS, exit=True)
    try:
        return run_schedule(seed)
    finally:
        faulthandler.cancel_dump_traceback_later()


def hunt(number: int, seed: int) -> Hunt:
    """Run schedules with a mutant until one catches it: one that shows nothing of the product as it is."""
    mutant = MUTANTS[number]
    for tried in range(MOST_SCHEDULES_FOR_A_MUTANT):
        with mutant.alive():
            verdict = watched(seed + tried)
        if verdict.findings and not watched(seed + tried).findings:
            return Hunt(mutant.name, tried + 1, verdict.findings.lines()[0])
    return Hunt(mutant.name)
