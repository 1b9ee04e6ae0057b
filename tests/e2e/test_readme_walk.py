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
MORE = "..."


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


def shape_of(printed: Any, answer: Any) -> Any:
    """Return names and kinds of a JSON value; of a list the first item counts.

    Where the README prints a member `...`, the answer may have more members than are printed.
    """
    match answer:
        case dict():
            like = printed if isinstance(printed, dict) else {}
            names = like.keys() & answer.keys() if MORE in like else answer.keys()
            shapes = {name: shape_of(like.get(name), answer[name]) for name in names}
            return {**shapes, MORE: "str"} if MORE in like else shapes
        case [first, *_]:
            return [shape_of(printed[0] if isinstance(printed, list) and printed else None, first)]
        case int() | float() if not isinstance(answer, bool):
            return "number"
        case _:
            return type(answer).__name__


@pytest.mark.parametrize(
    ("printed", "answer", "fits"),
    [
        ({"a": 1}, {"a": 2.5}, True),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1, "...": "..."}, {"a": 1, "b": 2}, True),
        ({"a": 1, "...": "..."}, {"b": 2}, False),
        ({"a": [{"b": 1, "...": "..."}]}, {"a": [{"b": 1, "c": 2}, {}]}, True),
        ({"a": [{"b": 1}]}, {"a": []}, False),
        ({"a": None}, {"a": "text"}, False),
    ],
)
def test_a_printed_answer_fits_only_answers_of_its_shape(printed: Any, answer: Any, fits: bool) -> None:
    assert (shape_of(printed, answer) == shape_of(printed, printed)) is fits


@pytest.mark.usefixtures("laptop")
def test_the_walk_of_the_readme_works_as_it_is_written(laptop_command: Any) -> None:
    # GIVEN the README's blocks as one script; only the environment is there already
    blocks = walk()
    assert len(blocks) >= 7
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
            shown = json.loads(printed)
            assert shape_of(shown, json.loads(output)) == shape_of(shown, shown), commands
