"""What commands print: answers on stdout, as JSON or for people, and notes and progress on stderr."""

from __future__ import annotations

import json
import math
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.prompt import Confirm
from rich.text import Text

from matchcast_tools.progress import Items, Steps

# A table that goes into a file or a pipe needs no line breaks. Names of files and teams are shown as they are: brackets
# in them are no markup, and colons no emoji.
answers = Console(width=None if sys.stdout.isatty() else 160, markup=False, emoji=False)
notes = Console(stderr=True, markup=False, emoji=False)


def answer(content: Any, show: Callable[[], None], *, as_json: bool) -> None:
    """Print an answer: as one line of JSON, or as `show` prints it for people.

    In JSON, dates are ISO 8601, and a number that is not finite is null: JSON has no others.
    """
    if as_json:
        typer.echo(json.dumps(_finite(content), default=str, allow_nan=False))
    else:
        show()


def _finite(content: Any) -> Any:
    match content:
        case float():
            return content if math.isfinite(content) else None
        case Mapping():
            return {name: _finite(part) for name, part in content.items()}
        case list() | tuple():
            return [_finite(part) for part in content]
        case _:
            return content


def say(text: str) -> None:
    """Print a sentence of an answer as it is."""
    answers.print(text, soft_wrap=True, highlight=False)


def warn(text: str, style: str = "yellow") -> None:
    """Print what people should notice, as it is."""
    notes.print(text, style=style, soft_wrap=True, highlight=False)


def confirm(question: str) -> None:
    """Ask on stderr, and go on only after a yes: stdout is for answers, and `typer.confirm` writes a space to it."""
    try:
        agreed = Confirm.ask(Text(question), console=notes, default=False)
    except EOFError:
        warn("There is nobody to ask. Use --yes.")
        agreed = False
    if not agreed:
        raise typer.Abort


@contextmanager
def said_after(seconds: float, text: str) -> Iterator[None]:
    """Print what is waited for if the block takes longer than this."""
    timer = threading.Timer(seconds, warn, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def progress(what: str) -> Iterator[Steps]:
    """Show what is going on while the block runs; it yields what shows the next step."""
    with notes.status(Text(what)) as status:
        yield lambda step: status.update(Text(step))


@contextmanager
def progress_bar(what: str) -> Iterator[Items]:
    """Show a bar while the block runs; it yields what moves the bar."""
    item_column = TextColumn("{task.fields[item]}", markup=False)
    columns = TextColumn("{task.description}"), BarColumn(), item_column, TimeElapsedColumn()
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as bar:
        task = bar.add_task(what, total=None, item="")
        yield lambda done, total, item: bar.update(task, completed=done, total=total, item=item)
