"""What commands print: answers on stdout, as JSON or for people, and notes and progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console

# A table that goes into a file or a pipe needs no line breaks.
answers = Console(width=None if sys.stdout.isatty() else 160)
notes = Console(stderr=True)


def answer(content: Any, show: Callable[[], None], *, as_json: bool) -> None:
    """Print an answer: as one line of JSON, or as `show` prints it for people. Dates are ISO 8601."""
    if as_json:
        typer.echo(json.dumps(content, default=str))
    else:
        show()


def say(text: str) -> None:
    """Print a sentence of an answer as it is."""
    answers.print(text, soft_wrap=True, highlight=False, markup=False)


def warn(text: str, style: str = "yellow") -> None:
    """Print what people should notice, as it is."""
    notes.print(text, style=style, soft_wrap=True, highlight=False, markup=False)


@contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """Show what is going on while the block runs; it yields what shows the next step."""
    with notes.status(what) as status:
        yield status.update
