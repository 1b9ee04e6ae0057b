"""The README's walk, run as it stands: each block in one shell, each answer of the shape that is printed there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("curl") is None, reason="the walk needs curl"),
]

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```", re.MULTILINE | re.DOTALL)
MARK = "----- end of block -----"


def walk() -> list[tuple[str, str | None]]:
    """Return each block of commands with the answer that the README prints after it, if any."""
    text = (ROOT / "README.md").read_text().split("<!-- walk:")[1].split("<!-- end of the walk -->")[0]
    blocks: list[tuple[str, str | None]] = []
    for kind, content in BLOCK.findall(text):
        if kind == "sh":
            blocks.append((content, None))
        else:
            blocks[-1] = (blocks[-1][0], content)
    return blocks


def shape(value: Any) -> Any:
    """Return names and kinds of a JSON value; null fits everything, and of a list the first item counts."""
    match value:
        case dict():
            return {name: shape(item) for name, item in value.items()}
        case [first, *_]:
            return [shape(first)]
        case int() | float() if not isinstance(value, bool):
            return "number"
        case _:
            return type(value).__name__


@pytest.mark.usefixtures("laptop")
def test_the_walk_of_the_readme_works_as_it_is_written(laptop_command: Any) -> None:
    # GIVEN the README's blocks as one script; only the environment is there already
    blocks = walk()
    assert len(blocks) >= 8
    script = "set -e\n" + "".join(f"{commands}\necho '\n{MARK}'\n" for commands, _ in blocks)
    script = script.replace(". .venv/bin/activate\n", "")
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**laptop_command.environment, "PATH": tools}
    # WHEN a shell runs it
    ran = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    # THEN every block succeeds, and answers have the shape that the README shows
    assert ran.returncode == 0, ran.stdout + ran.stderr
    outputs = ran.stdout.split(MARK)
    for (commands, printed), output in zip(blocks, outputs, strict=False):
        if printed is not None:
            assert shape(json.loads(output)) == shape(json.loads(printed)), commands
