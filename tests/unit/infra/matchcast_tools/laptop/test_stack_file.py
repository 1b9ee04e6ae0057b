"""The laptop stack that `stack.json` describes, and whether it is running."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from matchcast_tools.checkout import LOCAL_VARIABLE
from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop.stack_file import running_stack
from matchcast_tools.laptop.state import Folder, engine_lock
from matchcast_tools.stack.sessions import READ_SECONDS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A local folder with the description of a stack."""
    monkeypatch.setenv(LOCAL_VARIABLE, str(tmp_path))
    made = Folder(tmp_path)
    made.stack_file.write_text(json.dumps({"port": 4711, "outputs": {"TasksTableName": "tasks"}, "token": "eyJ"}))
    return made


def test_a_described_stack_is_found_while_its_engine_runs(folder: Folder) -> None:
    with engine_lock(folder):
        stack = running_stack()

    assert stack.api_url == "http://127.0.0.1:4711"
    assert stack.browser_url == "http://f007ba11.execute-api.localhost:4711"
    assert stack.output("TasksTableName") == "tasks"
    assert stack.client("sqs").meta.config.read_timeout == READ_SECONDS


@pytest.mark.parametrize("text", ["", "{", "x", "[]", "null", '{"port": "x"}', '{"port": 1, "outputs": 7}'])
def test_a_description_that_was_cut_off_is_no_running_stack(folder: Folder, text: str) -> None:
    folder.stack_file.write_text(text)

    with engine_lock(folder), pytest.raises(EnvironmentProblem, match=r"not ready.*matchcast down"):
        running_stack()


def test_a_description_without_its_engine_is_no_running_stack(folder: Folder) -> None:
    assert folder.stack_file.exists()

    with pytest.raises(EnvironmentProblem, match=r"No laptop stack is running.*make up"):
        running_stack()


def test_an_engine_whose_stack_is_not_ready_is_no_running_stack(folder: Folder) -> None:
    folder.stack_file.unlink()

    with engine_lock(folder), pytest.raises(EnvironmentProblem, match=r"not ready.*it starts"):
        running_stack()
