"""The README says what the code says."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from matchcast import settings as declared
from matchcast.settings import Settings
from matchcast_tools.cli.main import make_app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BEGIN = "<!-- settings: compared with matchcast.settings by a test -->\n"
END = "<!-- end of the settings -->"


def settings_table() -> str:
    """Return the table of all settings that have a default."""
    fields = {}
    for _, kind in inspect.getmembers(declared, inspect.isclass):
        if issubclass(kind, Settings) and kind is not Settings:
            fields |= {name: field for name, field in kind.model_fields.items() if not field.is_required()}
    rows = [
        f"| `{name.upper()}` | {str(field.default).lower() if isinstance(field.default, bool) else field.default} "
        f"| {field.description} |\n"
        for name, field in sorted(fields.items())
    ]
    return "| variable | default | meaning |\n|---|---|---|\n" + "".join(rows)


def test_the_table_of_settings_is_that_of_the_code() -> None:
    table = README.split(BEGIN)[1].split(END)[0]

    assert table == settings_table(), f"Put this into README.md:\n{settings_table()}"


def test_every_setting_says_what_it_is_for() -> None:
    for _, kind in inspect.getmembers(declared, inspect.isclass):
        if issubclass(kind, Settings):
            assert all(field.description for field in kind.model_fields.values()), kind


def test_every_command_of_the_readme_exists_and_every_command_is_in_the_readme() -> None:
    app = make_app()
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups if group.name}
    table = README.split("## Commands")[1].split("Every reader has")[0]
    listed = {
        word
        for row in re.findall(r"^\| `matchcast ([^`]+)`", table, re.MULTILINE)
        for word in ([row.split()[0]] if row.startswith("dlq") else row.replace(",", " ").split())
    }

    assert listed == known


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE))))
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(((?!http)[^)#]+)\)", README))))
def test_every_linked_file_exists(path: str) -> None:
    assert (ROOT / path).exists()
