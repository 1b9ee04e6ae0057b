"""What the command makes of errors that no part of it expects: a message, and an exit code for scripts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ReadTimeoutError

from matchcast_tools.checkout import LOCAL_VARIABLE
from matchcast_tools.cli.main import explanation, main
from matchcast_tools.stack.deployed import STACK_NAME_VARIABLE

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs the command and gives its exit code and what it says on stderr, in one line."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["matchcast", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), " ".join(capsys.readouterr().err.split())

    return run


@pytest.mark.parametrize("command", ["url", "down", "history"])
def test_local_state_in_a_file_is_explained(
    command: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a file where the folder of local state should be
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(LOCAL_VARIABLE, str(tmp_path / "file"))
    # WHEN
    code, said = run(command)
    # THEN
    assert code == 3
    assert f"{tmp_path}/file/" in said.replace(" ", "")
    assert LOCAL_VARIABLE in said


@pytest.mark.parametrize("command", ["url", "features"])
def test_a_working_directory_that_is_gone_is_explained(
    command: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a working directory that somebody deletes
    monkeypatch.delenv(LOCAL_VARIABLE)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    # WHEN
    code, said = run(command)
    os.chdir(tmp_path)
    # THEN
    assert code == 3
    assert "working directory" in said


def test_a_dataset_that_cannot_be_written_is_explained(run: Run, tmp_path: Path) -> None:
    # GIVEN a match file, and a file where the dataset's folder should be
    (tmp_path / "E0.csv").write_text("Div,Date,HomeTeam,AwayTeam,FTHG,FTAG\nE0,16/08/2014,Arsenal,Hull,1,0\n")
    (tmp_path / "file").write_text("")
    # WHEN
    code, said = run("import", str(tmp_path / "E0.csv"), "--data", str(tmp_path / "file"))
    # THEN
    assert code == 3
    assert "cannot be used (File exists)" in said


def test_a_profile_that_is_not_configured_is_explained(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STACK_NAME_VARIABLE, "matchcast")
    monkeypatch.setenv("AWS_PROFILE", "nope")
    code, said = run("history")
    assert code == 3
    assert "AWS_PROFILE" in said


def test_a_timeout_of_a_library_blames_no_path() -> None:
    # It is an OSError as well.
    explained = explanation(ReadTimeoutError(endpoint_url="http://127.0.0.1:4711"))

    assert explained is not None
    assert "Read timeout" in explained.detail
    assert "`matchcast doctor`" in explained.detail
    assert LOCAL_VARIABLE not in explained.detail
