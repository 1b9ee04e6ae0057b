"""`matchcast dlq list | show | redrive | discard`: dead letters are work."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer
from rich.progress import track
from rich.table import Table

from matchcast.domain.task import Priority
from matchcast.ports import DeadLetter, DeadLetters
from matchcast.tasks.dead_letters import Discard, Redrive, task_in
from matchcast_tools.cli import output
from matchcast_tools.cli.options import AsJson, DryRun
from matchcast_tools.stack.dead_letters import dead_letters, discarding, redriving
from matchcast_tools.stack.find_stack import find_stack

NO_CAUSE = "(dead-lettered by SQS)"
HIDE_SECONDS = 60

Cause = Annotated[str | None, typer.Option("--cause", help="Only letters of this cause, as `dlq list` names it.")]
TaskId = Annotated[str | None, typer.Option("--task", help="Only the letters of this task.")]
Lane = Annotated[Priority | None, typer.Option("--lane", help="Only one lane.")]
Rate = Annotated[float, typer.Option("--rate", min=0.1, help="Letters a second at most.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    dlq = typer.Typer(help="Work on dead letters: list, show, redrive, discard.", no_args_is_help=True)
    dlq.command("list")(list_letters)
    dlq.command()(show)
    dlq.command()(redrive)
    dlq.command()(discard)
    app.add_typer(dlq, name="dlq")


def list_letters(lane: Lane = None, as_json: AsJson = False) -> None:
    """Count dead letters by lane and cause."""
    letters = dead_letters(find_stack())
    found = chosen(letters, lane=lane)
    counts = Counter((letter.lane, cause_of(letter)) for letter in found)
    show_again(letters, found)
    rows = [{"lane": lane, "cause": cause, "letters": count} for (lane, cause), count in sorted(counts.items())]
    output.answer(rows, lambda: show_counts(rows), as_json=as_json)


def show(cause: Cause = None, task: TaskId = None, lane: Lane = None, as_json: AsJson = False) -> None:
    """Show dead letters, message by message."""
    stack = find_stack()
    plan = redriving(stack, timedelta(days=1)).plan
    letters = dead_letters(stack)
    found = chosen(letters, cause, task, lane)
    shown = [described(letter, plan(letter)[0]) for letter in found]
    show_again(letters, found)
    output.answer(shown, lambda: show_letters(shown), as_json=as_json)


def redrive(
    cause: Cause = None,
    task: TaskId = None,
    lane: Lane = None,
    dry_run: DryRun = False,
    rate: Rate = 50,
    lifetime: Annotated[int, typer.Option("--lifetime", min=60, help="Seconds that the tasks stay readable.")] = 86_400,
    as_json: AsJson = False,
) -> None:
    """Queue the tasks of dead letters again, under the same ids in their next generation."""
    stack = find_stack()
    letters, act = dead_letters(stack), redriving(stack, timedelta(seconds=lifetime))

    def again(letter: DeadLetter) -> Redrive:
        outcome = act.plan(letter)[0] if dry_run else act.redrive(letter)
        if dry_run or outcome is Redrive.NO_TASK:
            letters.release(letter)
        return outcome

    act_on(chosen(letters, cause, task, lane), rate, again, Redrive, as_json=as_json, dry_run=dry_run)


def discard(
    cause: Cause = None,
    task: TaskId = None,
    lane: Lane = None,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    rate: Rate = 50,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters for good; a task that still waits for one of them fails."""
    stack = find_stack()
    letters, act = dead_letters(stack), discarding(stack)
    if not (dry_run or yes):
        typer.confirm("Deleted letters cannot be brought back. Go on?", abort=True)

    def drop(letter: DeadLetter) -> Discard:
        if not dry_run:
            return act.discard(letter)
        letters.release(letter)
        return act.plan(letter)[0]

    act_on(chosen(letters, cause, task, lane), rate, drop, Discard, as_json=as_json, dry_run=dry_run)


def chosen(
    letters: DeadLetters, cause: str | None = None, task_id: str | None = None, lane: Priority | None = None
) -> list[DeadLetter]:
    """Return the letters that were asked for, hidden from other readers; the others are visible again."""
    wanted: list[DeadLetter] = []
    others: list[DeadLetter] = []
    for one in Priority if lane is None else [lane]:
        for letter in letters.receive(one, HIDE_SECONDS):
            fits = cause in (None, cause_of(letter)) and task_id in (None, task_id_of(letter))
            (wanted if fits else others).append(letter)
    show_again(letters, others)
    return wanted


def show_again(letters: DeadLetters, received: Sequence[DeadLetter]) -> None:
    """Make letters visible to other readers again."""
    for letter in received:
        letters.release(letter)


def described(letter: DeadLetter, outcome: Redrive) -> dict[str, str | None]:
    """Return a letter as JSON, with what a redrive would do."""
    return {
        "message_id": letter.message_id,
        "lane": letter.lane,
        "cause": cause_of(letter),
        "sent_at": letter.sent_at.isoformat(),
        "redrive": outcome,
        "task_id": task_id_of(letter),
        "body": letter.body,
    }


def cause_of(letter: DeadLetter) -> str:
    """Return why a letter is there, in a word."""
    return letter.cause or NO_CAUSE


def task_id_of(letter: DeadLetter) -> str | None:
    """Return the id of the task in a letter, if it can be read."""
    task = task_in(letter)
    return None if task is None else task.task_id


def act_on(
    letters: Sequence[DeadLetter],
    rate: float,
    act: Callable[[DeadLetter], str],
    known: type[StrEnum],
    *,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Do something with each letter, no faster than `rate` a second, and print how often each outcome came of it."""
    counts = dict.fromkeys(map(str, known), 0)
    for letter in track(letters, "letters", console=output.notes, disable=not output.notes.is_terminal):
        started = time.monotonic()
        counts[str(act(letter))] += 1
        time.sleep(max(0.0, 1 / rate - (time.monotonic() - started)))
    shown = ", ".join(f"{outcome}: {count}" for outcome, count in counts.items()) + (" (dry run)" * dry_run)
    output.answer({**counts, "dry_run": dry_run}, lambda: output.say(shown), as_json=as_json)


def show_counts(rows: Sequence[Mapping[str, object]]) -> None:
    """Print how many letters there are, by lane and cause."""
    table = Table("lane", "cause", "letters")
    for row in rows:
        table.add_row(*map(str, row.values()))
    output.answers.print(table if rows else "There are no dead letters.")


def show_letters(shown: Sequence[Mapping[str, object]]) -> None:
    """Print letters, each in two lines."""
    for item in shown:
        output.say(", ".join(f"{name}: {value}" for name, value in item.items() if name != "body"))
        output.say(f"  {item['body']}")
