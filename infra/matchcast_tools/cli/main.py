"""The groups of the `matchcast` command, and errors as messages and exit codes."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable

import typer

from matchcast.errors import MatchcastError
from matchcast_tools.checkout import LOCAL_VARIABLE
from matchcast_tools.cli.output import notes
from matchcast_tools.errors import EnvironmentProblem, exit_code

GROUPS = ("laptop", "data", "training", "snapshot", "releases", "tasks", "batch", "dead_letters", "webhook")
"""Modules of `matchcast_tools.cli` with a `register(app)`; each imports its heavy libraries inside its commands."""

OUTSIDE = {
    "botocore.exceptions": ("BotoCoreError", "ClientError"),
    "urllib3.exceptions": ("HTTPError",),
    "mlflow.exceptions": ("MlflowException",),
    "sqlalchemy.exc": ("SQLAlchemyError",),
}
"""Errors of the libraries that talk to AWS, to the engine and to the model registry."""


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
    run(_make_and_call)


def _make_and_call() -> None:
    make_app()()


def run(command: Callable[[], None]) -> None:
    """Run a command; an error that has an explanation is printed and becomes the exit code."""
    try:
        command()
    except Exception as error:
        explained = explanation(error)
        if explained is None:
            raise
        sys.exit(explain(explained))


def explanation(error: Exception) -> MatchcastError | None:
    """Return an error of the product, or what such an error says of one of the machine, the network or a library.

    None for an error that only a mistake in the program can lead to.
    """
    match error:
        case MatchcastError():
            return error
        case subprocess.SubprocessError():
            return EnvironmentProblem(f"A process that the command needs has failed: {error}")
        case _ if _is_of_library(error):
            # Before OSError: a timeout of botocore is one too, and no path is wrong.
            return EnvironmentProblem(
                f"{' '.join(str(error).split()) or type(error).__name__}. Check what the command works with: "
                "`matchcast doctor`."
            )
        case OSError():
            # A path of the machine: the working directory, a file, local state, a full disk.
            what = error.filename or "The working directory, a path, the output or a connection"
            return EnvironmentProblem(
                f"{what} cannot be used ({error.strerror or error}). Check the path, its permissions and the free "
                f"space; {LOCAL_VARIABLE} names the folder of local state."
            )
    return None


def _is_of_library(error: Exception) -> bool:
    """Return whether an error is one of a library that talks to something outside; none is imported for it."""
    for module, names in OUTSIDE.items():
        library = sys.modules.get(module)
        kinds = tuple(getattr(library, name) for name in names if hasattr(library, name))
        if kinds and isinstance(error, kinds):
            return True
    return False


def explain(error: MatchcastError) -> int:
    """Print an error with what to do about it, and return its exit code."""
    notes.print(f"{error.title}: ", style="bold red", highlight=False, end="")
    notes.print(error.detail, highlight=False, soft_wrap=True)
    for field in error.errors:
        # The pointer to the whole body is the empty text.
        where = field.pointer or field.parameter or field.header or "the request"
        notes.print(f"  {where}: {field.detail}", soft_wrap=True)
    return exit_code(error)
