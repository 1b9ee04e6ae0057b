"""`matchcast dlq list | show | redrive | discard`: dead letters are work."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from matchcast.domain.task import Priority, Task, utc_now
from matchcast.errors import InvalidMessage
from matchcast.messages import decode
from matchcast.ports import DeadLetter, DeadLetters, TaskStore
from matchcast.tasks.discard_dead_letters import Discard, DiscardDeadLetters
from matchcast.tasks.redrive_dead_letters import Redrive, RedriveDeadLetters
from matchcast_tools.stack.deployed import Stack, find_stack

output = Console()
notes = Console(stderr=True)
NO_CAUSE = "(queue gave up)"
HIDE_SECONDS = 60

Cause = Annotated[str | None, typer.Option("--cause", help="Only letters of this cause, as `dlq list` names it.")]
TaskId = Annotated[str | None, typer.Option("--task", help="Only the letters of this task.")]
Lane = Annotated[Priority | None, typer.Option("--lane", help="Only one lane.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]


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
    release(letters, found)
    rows = [{"lane": lane, "cause": cause, "letters": count} for (lane, cause), count in sorted(counts.items())]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    table = Table("lane", "cause", "letters")
    for row in rows:
        table.add_row(*map(str, row.values()))
    output.print(table if rows else "There are no dead letters.")


def show(cause: Cause = None, task: TaskId = None, lane: Lane = None, as_json: AsJson = False) -> None:
    """Show dead letters, message by message."""
    stack = find_stack()
    plan = redriving(stack, timedelta(days=1)).plan
    letters = dead_letters(stack)
    found = chosen(letters, cause, task, lane)
    shown = [described(letter, plan(letter)[0]) for letter in found]
    release(letters, found)
    if as_json:
        typer.echo(json.dumps(shown))
        return
    for item in shown:
        body = item.pop("body")
        output.print(", ".join(f"{name}: {value}" for name, value in item.items()), markup=False, soft_wrap=True)
        output.print(f"  {body}", markup=False, highlight=False, soft_wrap=True)


def redrive(
    cause: Cause = None,
    task: TaskId = None,
    lane: Lane = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")] = False,
    rate: Annotated[float, typer.Option("--rate", min=0.1, help="Letters a second at most.")] = 50,
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

    outcomes = act_on(chosen(letters, cause, task, lane), rate, again)
    tell(outcomes, [outcome.value for outcome in Redrive], as_json=as_json, dry_run=dry_run)


def discard(
    cause: Cause = None,
    task: TaskId = None,
    lane: Lane = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    rate: Annotated[float, typer.Option("--rate", min=0.1, help="Letters a second at most.")] = 50,
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

    outcomes = act_on(chosen(letters, cause, task, lane), rate, drop)
    tell(outcomes, [outcome.value for outcome in Discard], as_json=as_json, dry_run=dry_run)


def dead_letters(stack: Stack) -> DeadLetters:
    """Return the dead letters of a stack."""
    from matchcast.adapters.sqs_dead_letters import SQSDeadLetters

    urls = {
        Priority.HIGH: stack.output("HighDeadLetterQueueUrl"),
        Priority.NORMAL: stack.output("NormalDeadLetterQueueUrl"),
    }
    return SQSDeadLetters(stack.client("sqs"), urls)


def redriving(stack: Stack, lifetime: timedelta) -> RedriveDeadLetters:
    """Return the use case over a stack's queues and table."""
    from matchcast.adapters.sqs_lanes import SQSLanes

    queues = {Priority.HIGH: stack.output("HighQueueUrl"), Priority.NORMAL: stack.output("NormalQueueUrl")}
    return RedriveDeadLetters(
        letters=dead_letters(stack),
        tasks=tasks(stack),
        lanes=SQSLanes(stack.client("sqs"), queues),
        now=utc_now,
        lifetime=lifetime,
    )


def discarding(stack: Stack) -> DiscardDeadLetters:
    """Return the use case over a stack's dead letters and table."""
    return DiscardDeadLetters(letters=dead_letters(stack), tasks=tasks(stack), now=utc_now)


def tasks(stack: Stack) -> TaskStore:
    """Return the tasks table of a stack."""
    from matchcast.adapters.dynamodb_tasks import DynamoDBTasks

    # Nothing is listed here, so the number of shards of new items alone matters: one record keeps its shard,
    # because its id does.
    return DynamoDBTasks(stack.client("dynamodb"), stack.output("TasksTableName"), int(stack.output("TenantShards")))


def chosen(
    letters: DeadLetters, cause: str | None = None, task_id: str | None = None, lane: Priority | None = None
) -> list[DeadLetter]:
    """Return the letters that were asked for, hidden from other readers; the others are visible again."""
    received = [
        letter for one in (Priority if lane is None else [lane]) for letter in letters.receive(one, HIDE_SECONDS)
    ]
    wanted = [letter for letter in received if fits(letter, cause, task_id)]
    release(letters, [letter for letter in received if not fits(letter, cause, task_id)])
    return wanted


def fits(letter: DeadLetter, cause: str | None, task_id: str | None) -> bool:
    """Tell whether a letter is one of those that were asked for."""
    task = task_of(letter) if task_id is not None else None
    return cause in (None, cause_of(letter)) and (task_id is None or (task is not None and task.task_id == task_id))


def release(letters: DeadLetters, received: Iterable[DeadLetter]) -> None:
    """Make letters visible to other readers again."""
    for letter in received:
        letters.release(letter)


def described(letter: DeadLetter, outcome: Redrive) -> dict[str, str | None]:
    """Return a letter as JSON, with what a redrive would do."""
    task = task_of(letter)
    return {
        "message_id": letter.message_id,
        "lane": letter.lane,
        "cause": cause_of(letter),
        "sent_at": letter.sent_at.isoformat(),
        "redrive": outcome,
        "task_id": task.task_id if task else None,
        "body": letter.body,
    }


def act_on(letters: Sequence[DeadLetter], rate: float, act: Callable[[DeadLetter], str]) -> Counter[str]:
    """Do something with each letter, no faster than `rate` a second, and count what came of it."""
    counted: Counter[str] = Counter()
    for letter in track(letters, "letters", console=notes, disable=not notes.is_terminal):
        started = time.monotonic()
        counted[str(act(letter))] += 1
        time.sleep(max(0.0, 1 / rate - (time.monotonic() - started)))
    return counted


def tell(outcomes: Counter[str], known: list[str], *, as_json: bool, dry_run: bool) -> None:
    """Print what came of the letters."""
    counts = {outcome: outcomes[outcome] for outcome in known}
    if as_json:
        typer.echo(json.dumps({**counts, "dry_run": dry_run}))
    else:
        output.print(", ".join(f"{outcome}: {count}" for outcome, count in counts.items()) + (" (dry run)" * dry_run))


def cause_of(letter: DeadLetter) -> str:
    """Return why a letter is there, in a word."""
    return letter.cause or NO_CAUSE


def task_of(letter: DeadLetter) -> Task | None:
    """Return the task in a letter, if it can be read."""
    try:
        return decode(letter.body)
    except InvalidMessage:
        return None
