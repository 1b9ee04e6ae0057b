"""The `matchcast` command: puts the groups together and turns errors into messages and exit codes."""

from __future__ import annotations

import importlib
import sys

import typer

from matchcast.errors import MatchcastError
from matchcast_tools.cli.output import notes
from matchcast_tools.errors import exit_code

GROUPS = ("laptop", "data", "training", "snapshot", "releases", "tasks", "dead_letters")
"""Modules of `matchcast_tools.cli` with a `register(app)`; each imports its heavy libraries inside its commands."""


def make_app() -> typer.Typer:
    """Return the command with every group registered."""
    app = typer.Typer(
        name="matchcast",
        help="Import matches, train and publish models, run the laptop stack, ask for predictions.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for group in GROUPS:
        importlib.import_module(f"matchcast_tools.cli.{group}").register(app)
    return app


def main() -> None:
    """Run the command; exit codes: 0 done, 1 failed, 2 bad input, 3 out of reach, 4 release refused."""
    try:
        make_app()()
    except MatchcastError as error:
        notes.print(f"[bold red]{error.title}:[/] ", end="")
        notes.print(error.detail, markup=False, highlight=False)
        for field in error.errors:
            notes.print(f"  {field.pointer or field.parameter or field.header}: {field.detail}", markup=False)
        sys.exit(exit_code(error))
