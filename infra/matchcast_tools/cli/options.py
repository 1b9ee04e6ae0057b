"""Options that several commands have."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from matchcast_tools.checkout import data_folder

DAYS = ["%Y-%m-%d"]
"""How days are written."""

DataDir = Annotated[
    Path,
    typer.Option(
        "--data",
        help="The folder of the imported dataset.",
        # Called with each command, since it depends on the working directory.
        default_factory=data_folder,
        show_default=".local/data",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")]


def day(moment: datetime | None) -> date | None:
    """Return the day that an option names; typer parses no dates, only times."""
    return None if moment is None else moment.date()
