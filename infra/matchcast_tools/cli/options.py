"""Options that several commands have."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from matchcast_tools.checkout import data_folder
from matchcast_tools.errors import BadInput

DAYS = ["%Y-%m-%d"]
"""How days are written."""


def data_option(check: Callable[..., Path] | None = None) -> Any:
    """Return the option `--data`; `check` sees its value before the command does."""
    return typer.Option(
        "--data",
        help="The folder of the imported dataset.",
        # Called with each command, since it depends on the working directory.
        default_factory=data_folder,
        show_default=".local/data",
        callback=check,
    )


def existing_folder(context: typer.Context, folder: Path) -> Path:
    """Return a folder that exists, or is the default; that may be missing where a command can do without a dataset.

    Raises
    ------
    BadInput
        If a folder was named that does not exist.
    """
    source = context.get_parameter_source("data")
    if source is not None and source.name == "COMMANDLINE" and not folder.is_dir():
        raise BadInput(f"There is no folder {folder}. Give `--data` the folder that `matchcast import` has written.")
    return folder


def number(*names: str, help: str, least: float | None = None) -> Any:  # noqa: A002 - typer's word for it
    """Return an option that takes a finite number: with nan a comparison is never true, with inf a wait has no end."""
    return typer.Option(*names, help=help, min=least, callback=_finite)


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number. Give one such as 0.5 or 60.")
    return value


DataDir = Annotated[Path, data_option()]
ExistingDataDir = Annotated[Path, data_option(existing_folder)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]
CallbackUrl = Annotated[
    str | None, typer.Option("--callback-url", help="Where the end is reported to; `matchcast webhook` has the rest.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")]


def day(moment: datetime | None) -> date | None:
    """Return the day that an option names; typer parses no dates, only times."""
    return None if moment is None else moment.date()
