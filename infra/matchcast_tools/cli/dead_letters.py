"""`matchcast dlq list | show | redrive | discard`: dead letters are work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer
from rich.table import Table

from matchcast.ports import DeadLetter
from matchcast.tasks.dead_letters import Discard, Redrive
from matchcast_tools.cli import output
from matchcast_tools.cli.letters_at_hand import FASTEST, HIDDEN, at_work, cause_of, content_of
from matchcast_tools.cli.options import AsJson, DryRun, number
from matchcast_tools.stack.dead_letters import Queue, discarding, redriving
from matchcast_tools.stack.find_stack import find_stack

Cause = Annotated[str | None, typer.Option("--cause", help="Only letters of this cause, as `dlq list` names it.")]
Id = Annotated[str | None, typer.Option("--task", "--batch", help="Only the letters of this task or batch.")]
Lane = Annotated[Queue | None, typer.Option("--lane", help="Only one lane, or the queue of batches.")]
LONGEST_LIFETIME_SECONDS = 259_200
"""As the template's TaskLifetimeSeconds: queues keep a message for longer than its task lives."""


Rate = Annotated[float, number("--rate", least=0.1, help="Letters a second at most.")]
Lifetime = Annotated[
    int,
    typer.Option("--lifetime", min=60, max=LONGEST_LIFETIME_SECONDS, help="Seconds that the tasks stay readable."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    dlq = typer.Typer(help="Work on dead letters: list, show, redrive, discard.", no_args_is_help=True)
    dlq.command("list")(list_letters)
    dlq.command()(show)
    dlq.command()(redrive)
    dlq.command()(discard)
    app.add_typer(dlq, name="dlq")


def list_letters(lane: Lane = None, as_json: AsJson = False) -> None:
    """Count dead letters by lane and cause; those of the queue of batches are in the lane `batches`."""
    with at_work(find_stack(), lane) as work:
        counts = Counter((letter.queue, cause_of(letter)) for letter in work.letters())
    counts.update({(lane, HIDDEN): count.hidden for lane, count in work.counts.items() if count.hidden})
    rows = [{"lane": lane, "cause": cause, "letters": count} for (lane, cause), count in sorted(counts.items())]
    output.answer(rows, lambda: show_counts(rows), as_json=as_json)


def show(cause: Cause = None, task: Id = None, lane: Lane = None, as_json: AsJson = False) -> None:
    """Show dead letters, message by message."""
    stack = find_stack()
    plans = redriving(stack, timedelta(days=1)).plans
    with at_work(stack, lane) as work:
        shown = [
            described(letter, outcome)
            for letters in in_hundreds(work.letters(cause, task))
            for letter, (outcome, _) in zip(letters, plans(letters), strict=True)
        ]
    output.answer(shown, lambda: show_letters(shown), as_json=as_json)


def redrive(
    cause: Cause = None,
    task: Id = None,
    lane: Lane = None,
    dry_run: DryRun = False,
    rate: Rate = 50,
    lifetime: Lifetime = 86_400,
    as_json: AsJson = False,
) -> None:
    """Queue the tasks of dead letters again, under the same ids in their next generation.

    Messages of batches are sent again where they still have something to do; what has failed waits for its client.
    """
    stack = find_stack()
    act = redriving(stack, timedelta(seconds=lifetime))
    with outcomes(Redrive, dry_run, as_json) as counts, at_work(stack, lane, FASTEST if dry_run else rate) as work:
        letters = work.letters(cause, task)
        if dry_run:
            plan(letters, act.plans, counts)
        else:
            work.do(letters, rate, act.redrive, counts)


def discard(
    cause: Cause = None,
    task: Id = None,
    lane: Lane = None,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    rate: Rate = 50,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters for good; a task, part or batch that still waits for one of them fails."""
    stack = find_stack()
    act = discarding(stack)
    if not (dry_run or yes):
        output.confirm("Deleted letters cannot be brought back. Go on?")
    with outcomes(Discard, dry_run, as_json) as counts, at_work(stack, lane, FASTEST if dry_run else rate) as work:
        letters = work.letters(cause, task)
        if dry_run:
            plan(letters, act.plans, counts)
        else:
            work.do(letters, rate, act.discard, counts)


def described(letter: DeadLetter, outcome: Redrive) -> dict[str, str | int | None]:
    """Return a letter as JSON, with what a redrive would do."""
    return {
        "message_id": letter.message_id,
        "lane": letter.queue,
        "cause": cause_of(letter),
        "sent_at": letter.sent_at.isoformat(),
        "redrive": outcome,
        **asdict(content_of(letter)),
        "body": letter.body,
    }


def plan(
    letters: Iterable[DeadLetter],
    plans: Callable[[Sequence[DeadLetter]], Sequence[tuple[StrEnum, object]]],
    counts: MutableMapping[str, int],
) -> None:
    """Count how often each outcome would come of the letters."""
    for some in in_hundreds(letters):
        for outcome, _ in plans(some):
            counts[str(outcome)] += 1


def in_hundreds(letters: Iterable[DeadLetter]) -> Iterator[Sequence[DeadLetter]]:
    """Yield the letters a hundred at a time, as many as one read of their records takes."""
    rest = iter(letters)
    while some := list(islice(rest, 100)):
        yield some


@contextmanager
def outcomes(known: type[StrEnum], dry_run: bool, as_json: bool) -> Iterator[dict[str, int]]:
    """Yield how often each outcome came, to be counted in the block, and print it; also where the block breaks off."""
    counts = dict.fromkeys(map(str, known), 0)
    try:
        yield counts
    except (Exception, KeyboardInterrupt):
        if not dry_run:
            show_outcomes(counts, dry_run=False, as_json=as_json)
            output.warn("The command broke off: this is what it has done so far. Repeat it for the rest.")
        raise
    show_outcomes(counts, dry_run=dry_run, as_json=as_json)


def show_outcomes(counts: Mapping[str, int], *, dry_run: bool, as_json: bool) -> None:
    """Print how often each outcome came of the letters, or would."""
    shown = ", ".join(f"{outcome}: {count}" for outcome, count in counts.items())
    shown = f"Nothing was changed. It would be {shown}" if dry_run else shown
    content = {"planned": counts, "dry_run": True} if dry_run else {**counts, "dry_run": False}
    output.answer(content, lambda: output.say(shown), as_json=as_json)


def show_counts(rows: Sequence[Mapping[str, object]]) -> None:
    """Print how many letters there are, by lane and cause."""
    table = Table("lane", "cause", "letters")
    for row in rows:
        table.add_row(*map(str, row.values()))
    output.answers.print(table if rows else "There are no dead letters.")


def show_letters(shown: Sequence[Mapping[str, object]]) -> None:
    """Print letters, each in two lines."""
    if not shown:
        output.say("There are no such dead letters.")
    for item in shown:
        output.say(
            ", ".join(f"{name}: {value}" for name, value in item.items() if name != "body" and value is not None)
        )
        output.say(f"  {item['body']}")
