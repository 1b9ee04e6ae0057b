"""Commands that are started with standard streams closed, as `command >&-` does it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LOCK = """
from pathlib import Path
from matchcast_tools.streams import open_standard_streams
open_standard_streams()
from matchcast_tools.laptop.state import Folder, engine_lock
with engine_lock(Folder(Path({folder!r}))) as lock:
    raise SystemExit(lock)
"""


def shell(line: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell with Python as its first argument."""
    command = ["sh", "-c", line, "sh", sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("closed", ["0<&-", ">&-", "2>&-", "0<&- >&- 2>&-"])
def test_the_lock_never_takes_the_place_of_a_standard_stream(closed: str, tmp_path: Path) -> None:
    done = shell(f'"$@" {closed}', "-c", LOCK.format(folder=str(tmp_path)))

    assert done.returncode > 2, done.stderr


@pytest.mark.parametrize("closed", ["0<&-", ">&-", "0<&- >&-"])
def test_a_command_without_an_output_fails_as_with_one(closed: str, tmp_path: Path) -> None:
    done = shell(f'MATCHCAST_LOCAL="{tmp_path}" "$@" {closed}', "-m", "matchcast_tools", "url")

    assert done.returncode == 3
    assert "No laptop stack is running" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_command_starts_has_all_standard_streams() -> None:
    # GIVEN a command without stdin and stderr, that starts another one
    child = "import os; [os.fstat(number) for number in range(3)]"
    text = (
        "import subprocess, sys; from matchcast_tools.streams import open_standard_streams; "
        f"open_standard_streams(); sys.exit(subprocess.call([sys.executable, '-c', {child!r}]))"
    )

    # WHEN
    done = shell('"$@" 0<&- 2>&-', "-c", text)

    # THEN
    assert done.returncode == 0
