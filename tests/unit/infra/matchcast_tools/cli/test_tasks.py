"""What the commands that ask for predictions refuse by themselves, before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from matchcast.errors import FieldError
from matchcast_tools.cli import tasks
from matchcast_tools.cli.main import explain, make_app
from matchcast_tools.errors import BadInput
from matchcast_tools.stack.api_client import ApiClient

ANY: Any = None


@pytest.fixture(autouse=True)
def no_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the commands a client of a stack that nobody listens at."""
    monkeypatch.setattr(tasks, "find_stack", lambda: ANY)
    monkeypatch.setattr(ApiClient, "of", classmethod(lambda cls, _: cls("http://127.0.0.1:1")))


@pytest.mark.parametrize("command", ["predict", "wait"])
@pytest.mark.parametrize("given", ["", ".", ".."])
def test_an_id_that_leads_to_another_route_is_refused(command: str, given: str) -> None:
    done = CliRunner().invoke(make_app(), [command, given])

    assert isinstance(done.exception, BadInput)
    assert f"{given!r} is no id" in done.exception.detail


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("command", ["predict", "submit"])
def test_features_that_are_no_numbers_of_json_are_refused(command: str, number: str, tmp_path: Path) -> None:
    (tmp_path / "features.json").write_text(f'{{"elo_difference": {number}}}')

    done = CliRunner().invoke(make_app(), [command, "--features", str(tmp_path / "features.json")])

    assert isinstance(done.exception, BadInput)
    assert f"{number} is no number in JSON" in done.exception.detail


def test_an_error_of_the_whole_body_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    explain(BadInput("It is wrong.", [FieldError("no JSON", pointer="")]))

    assert "  the request: no JSON" in capsys.readouterr().err
