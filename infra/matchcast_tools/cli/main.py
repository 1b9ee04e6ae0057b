"""The groups of the `matchcast` command, and errors as messages and exit codes."""

from __future__ import annotations

import importlib
import sys

import typer

from matchcast.errors import MatchcastError
from matchcast_tools.checkout import LOCAL_VARIABLE
from matchcast_tools.cli.output import notes
from matchcast_tools.errors import EnvironmentProblem, exit_code

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
    """Run the command; exit codes: 0 done, 1 failed, 2 bad input, 3 something needed is missing, 4 release refused."""
    try:
        make_app()()
    except MatchcastError as error:
        sys.exit(explain(error))
    except OSError as error:
        # A path of the machine: the working directory, a file, local state, a full disk.
        what = error.filename or "The working directory, a path or the output"
        sys.exit(
            explain(
                EnvironmentProblem(
                    f"{what} cannot be used ({error.strerror or error}). Check the path, its permissions and the free "
                    f"space; {LOCAL_VARIABLE} names the folder of local state."
                )
            )
        )


def explain(error: MatchcastError) -> int:
    """Print an error with what to do about it, and return its exit code."""
    notes.print(f"[bold red]{error.title}:[/] ", end="")
    notes.print(error.detail, markup=False, highlight=False, soft_wrap=True)
    for field in error.errors:
        where = field.pointer or field.parameter or field.header
        notes.print(f"  {where}: {field.detail}", markup=False, soft_wrap=True)
    return exit_code(error)
