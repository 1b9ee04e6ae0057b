"""Every option of every command that takes a number with fractions: it has to be finite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from matchcast_tools.cli.main import make_app
from tests.unit.infra.matchcast_tools.cli.test_every_command import leaves


def fractions(command: Any, *path: str) -> Iterator[tuple[list[str], str | None]]:
    """Yield the words of a command and an option, or None for an argument, for each number that it takes."""
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from fractions(child, *path, name)
    else:
        ((words),) = leaves(command, *path)
        for parameter in command.params:
            if "float" in parameter.type.name:
                yield words, parameter.opts[0] if parameter.param_type_name == "option" else None


EVERY = list(fractions(typer.main.get_command(make_app())))


def test_every_number_is_an_option() -> None:
    assert {option for _, option in EVERY} == {
        "--edge",
        "--max-drift",
        "--max-drift-of-one",
        "--max-latency",
        "--max-loss",
        "--rate",
        "--seconds",
    }


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
@pytest.mark.parametrize(("words", "option"), EVERY, ids=lambda part: part if isinstance(part, str) else " ".join(part))
def test_a_number_that_is_not_finite_is_refused(words: list[str], option: str, value: str) -> None:
    refused = CliRunner().invoke(make_app(), [*words, f"{option}={value}"])

    assert refused.exit_code == 2
    assert option in refused.stderr
    assert "is not a finite number" in refused.stderr or "is not in the range" in refused.stderr


@pytest.mark.parametrize(("words", "option"), EVERY, ids=lambda part: part if isinstance(part, str) else " ".join(part))
def test_a_finite_number_is_taken(
    words: list[str], option: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN no stack, and nothing that a command could work on
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MATCHCAST_LOCAL", str(tmp_path))
    # WHEN
    done = CliRunner().invoke(make_app(), [*words, f"{option}=0.5"])
    # THEN it is something else that the command lacks
    assert option not in done.stderr
    assert done.exit_code == 1
