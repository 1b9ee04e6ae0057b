"""`make faults`: random schedules against the asynchronous side; the last line is one JSON object."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import nullcontext
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from tests.faults.findings import Findings
from tests.faults.mutants import MUTANTS
from tests.faults.runs import ALL_MUTANTS, MOST_SCHEDULES_FOR_A_MUTANT, Report, run
from tests.faults.schedule import run_schedule

_SHOWN_FAILURES = 10
_NOTED_AFTER = 1000
notes = Console(stderr=True)


def main(
    schedules: Annotated[int, typer.Option(min=1, help="How many schedules to run.")] = 10_000,
    seed: Annotated[int | None, typer.Option(min=0, help="The first schedule's seed; drawn if left out.")] = None,
    replay: Annotated[int | None, typer.Option(min=0, help="Show this one schedule step by step.")] = None,
    mutant: Annotated[str | None, typer.Option(help="With --replay: break the product like this mutant.")] = None,
    hunts: Annotated[bool, typer.Option(help="Whether to hunt the mutants too.")] = True,
) -> None:
    """Look for schedules that lose a task, change a result, break the lifecycle, leave it stuck or fail for nothing."""
    if replay is not None:
        raise typer.Exit(show(replay, mutant))
    first = secrets.randbelow(1_000_000_000) if seed is None else seed
    say(
        f"{schedules} schedules from seed {first}: handlers and SDK over a simulated table, bucket and queues. "
        "Processes die and stop, calls fail, answers get lost, keys are left out, reads lag, clocks jump, messages "
        "come twice, late and in no order; then all settles, and every promise is checked."
    )
    watch = Watch(schedules)
    names = ALL_MUTANTS if hunts else ()
    with Progress(console=notes, disable=not notes.is_terminal) as bar:
        line = bar.add_task("schedules", total=schedules)

        def progress(done: int, found: dict[int, Findings]) -> None:
            bar.advance(line, done)
            watch.saw(done, found)

        report = run(schedules, first, progress, names)
    print_report(report)
    say(json.dumps(report.figures))
    raise typer.Exit(0 if report.is_good else 1)


class Watch:
    """Says now and then how far a long run is, and at once what it has found."""

    def __init__(self, schedules: int) -> None:
        self._schedules = schedules
        self._done = 0
        self._began = time.monotonic()

    def saw(self, done: int, found: dict[int, Findings]) -> None:
        """Take in some schedules, and what they showed."""
        before, self._done = self._done, self._done + done
        for seed, findings in found.items():
            notes.print(f"Seed {seed}: {'; '.join(findings.lines())}", markup=False)
        if before // _NOTED_AFTER < self._done // _NOTED_AFTER:
            speed = self._done / (time.monotonic() - self._began)
            notes.print(f"{self._done} of {self._schedules} schedules, {speed:.0f} a second")


def print_report(report: Report) -> None:
    """Say what was found, and how each mutant fared."""
    for seed, findings in sorted(report.findings.items())[:_SHOWN_FAILURES]:
        say(f"Seed {seed}: {'; '.join(findings.lines())}")
        say(f"  replay it with: make faults REPLAY={seed}")
    if len(report.findings) > _SHOWN_FAILURES:
        say(f"... and {len(report.findings) - _SHOWN_FAILURES} seeds more.")
    say(f"Broken copies of the product, each met by at most {MOST_SCHEDULES_FOR_A_MUTANT} of the same schedules:")
    for hunt in report.hunts:
        if hunt.schedules is None:
            say(f"  SURVIVED       {hunt.mutant}")
        else:
            say(f"  caught by {hunt.schedules:4} {hunt.mutant}: {hunt.finding}")


def show(seed: int, mutant: str | None) -> int:
    """Print the steps of one schedule, and what it showed; return the exit code."""
    broken = next((each for each in MUTANTS if each.name == mutant), None)
    if mutant is not None and broken is None:
        raise typer.BadParameter(f"no such mutant; there are: {', '.join(each.name for each in MUTANTS)}")
    with broken.alive() if broken else nullcontext():
        verdict = run_schedule(seed, tracing=True)
    for step in verdict.trace:
        say(step)
    for finding in verdict.findings.lines() or ["Every promise was kept."]:
        say(finding)
    return 1 if verdict.findings else 0


def say(text: str) -> None:
    """Print a line."""
    typer.echo(text)


if __name__ == "__main__":
    typer.run(main)
