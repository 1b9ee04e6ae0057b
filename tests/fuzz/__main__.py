"""`make fuzz`: hostile requests through the real handlers; the last line is one JSON object."""

from __future__ import annotations

import json
import secrets
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from tests.fuzz.cases import make
from tests.fuzz.runs import run

_SHOWN = 10
notes = Console(stderr=True)


def main(
    cases: Annotated[int, typer.Option(min=1, help="How many requests to send.")] = 500_000,
    seed: Annotated[int | None, typer.Option(min=0, help="The first case's seed; drawn if left out.")] = None,
    replay: Annotated[int | None, typer.Option(min=0, help="Show this one case.")] = None,
) -> None:
    """Look for a request that makes a function fail, slow or long-winded."""
    if replay is not None:
        case = make(replay)
        typer.echo(f"{case.handler} {json.dumps(case.event)[:5_000]}")
    first = secrets.randbelow(1_000_000_000) if seed is None else seed
    seeds = range(first, first + cases) if replay is None else range(replay, replay + 1)
    typer.echo(f"{len(seeds)} requests from seed {seeds[0]}")
    with Progress(console=notes, disable=not notes.is_terminal) as bar:
        line = bar.add_task("requests", total=len(seeds))
        report = run(seeds, lambda: bar.advance(line))
    for found, finding in sorted(report.findings.items())[:_SHOWN]:
        typer.echo(f"Seed {found}: {finding}\n  replay it with: make fuzz REPLAY={found}")
    figures = {
        "cases": len(seeds),
        "findings": len(report.findings),
        "slowest_seconds": round(report.slowest, 3),
        "longest_answer": report.longest,
        "statuses": {str(status): count for status, count in sorted(report.statuses.items())},
    }
    typer.echo(json.dumps(figures))
    raise typer.Exit(1 if report.findings else 0)


if __name__ == "__main__":
    typer.run(main)
