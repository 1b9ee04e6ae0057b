"""The pages are right: links lead somewhere; paths, names, commands, options and settings exist."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from matchcast import settings as declared
from matchcast.settings import Settings
from matchcast_tools.cli.main import make_app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "infra/CHANGELOG.md",
    *sorted((ROOT / "infra/docs").glob("*.md")),
    *sorted((ROOT / "infra/decisions").glob("*.md")),
]
DECISIONS = [page for page in PAGES if page.parent.name == "decisions"]
PACKAGES = {"matchcast": ROOT / "layers/core/python/matchcast", "matchcast_tools": ROOT / "infra/matchcast_tools"}
SECTIONS = ["Context", "Options", "Decision", "How to undo it"]
BEGIN = "<!-- settings: compared with matchcast.settings by a test -->\n"
END = "<!-- end of the settings -->"
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
each_decision = pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)


def code_of(page: Path) -> Iterator[str]:
    """Yield each line of shell and each piece of inline code of a page."""
    text = page.read_text()
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def commands_of(page: Path) -> Iterator[list[str]]:
    """Yield the words after `matchcast` of each command that a page shows."""
    for code in code_of(page):
        for words in re.findall(r"(?:^|[\s(])matchcast ([a-z][^#&|;)>]*)", code):
            yield shlex.split(words)


def is_defined(name: str) -> bool:
    """Return whether a dotted name is a module of the packages, or is defined in one."""
    package, *rest = name.split(".")
    place = PACKAGES[package]
    while rest and (place / rest[0]).is_dir():
        place /= rest.pop(0)
    if rest and (place / f"{rest[0]}.py").exists():
        place /= f"{rest.pop(0)}.py"
    if not rest:
        return True
    source = (place if place.is_file() else place / "__init__.py").read_text()
    return all(re.search(rf"^\s*(?:(?:class|def) )?{word}\b", source, re.MULTILINE) for word in rest)


@each_page
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(((?!https?:)[^)#\s]+)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


@each_page
def test_every_path_of_the_repository_exists(page: Path) -> None:
    paths = [code for code in code_of(page) if re.fullmatch(r"(?:functions|layers|infra|tests)/[\w./*-]+", code)]

    assert [path for path in paths if not any(ROOT.glob(path.rstrip("/")))] == []


@each_page
def test_every_name_of_the_packages_is_defined(page: Path) -> None:
    names = [code for code in code_of(page) if re.fullmatch(r"matchcast(?:_tools)?(?:\.\w+)+", code)]

    assert [name for name in names if not is_defined(name)] == []


@each_page
def test_every_command_exists_with_its_options(page: Path) -> None:
    # GIVEN the program's commands
    matchcast = typer.main.get_command(make_app())

    # WHEN the words of each command of the page are looked up
    # THEN each one exists
    for words in commands_of(page):
        command: Any = matchcast
        for word in words:
            # Inline code may list several commands, of which this looks at the first: `matchcast up, down`.
            if hasattr(command, "commands"):
                assert word.rstrip(",") in command.commands, words
                command = command.commands[word.rstrip(",")]
            elif word.startswith("--"):
                assert any(word in option.opts for option in command.params), words


@each_page
def test_every_make_target_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {target for code in code_of(page) for target in re.findall(r"^make ([a-z-]+)", code)}

    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_every_command_is_in_the_table_of_the_readme() -> None:
    # GIVEN the program's commands
    app = make_app()
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups if group.name}

    # WHEN the table of the README is read
    table = (ROOT / "README.md").read_text().split("## Commands")[1].split("Every reader has")[0]
    listed = {
        word
        for row in re.findall(r"^\| `matchcast ([^`]+)`", table, re.MULTILINE)
        for word in ([row.split()[0]] if row.startswith(("batch", "dlq", "webhook")) else row.replace(",", " ").split())
    }

    # THEN
    assert listed == known


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text()

    pages = [f"infra/docs/{page.name}" for page in (ROOT / "infra/docs").glob("*.md")]
    assert [page for page in pages if f"({page})" not in readme] == []


def test_decisions_are_numbered_without_gaps() -> None:
    assert [page.name[:4] for page in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]


@each_decision
def test_a_decision_has_its_number_a_date_and_every_section(page: Path) -> None:
    heading, _, date, *_ = page.read_text().splitlines()

    assert heading.startswith(f"# {page.name[:4]} ")
    assert re.match(r"\d{4}-\d{2}-\d{2}\b", date)
    assert re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE) == SECTIONS


def settings_table() -> str:
    """Return the table of all settings that have a default."""
    fields: dict[str, Any] = {}
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
    table = (ROOT / "infra/docs/settings.md").read_text().split(BEGIN)[1].split(END)[0]

    assert table == settings_table(), f"Put this into infra/docs/settings.md:\n{settings_table()}"


def test_every_setting_has_a_description() -> None:
    for _, kind in inspect.getmembers(declared, inspect.isclass):
        if issubclass(kind, Settings):
            assert all(field.description for field in kind.model_fields.values()), kind
