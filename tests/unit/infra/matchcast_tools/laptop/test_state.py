"""Whether an engine is alive is decided by the lock of its folder, not by its files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop.state import EngineRecord, Folder, engine_is_running, engine_lock, write_whole


@contextmanager
def holder(folder: Folder) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that holds the lock as the engine does: by a descriptor that it inherited."""
    with engine_lock(folder) as descriptor:
        process = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[descriptor], stdout=subprocess.DEVNULL
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "local")


def test_without_a_lock_nothing_runs(folder: Folder) -> None:
    assert not engine_is_running(folder)


def test_the_lock_outlives_the_command_that_took_it_and_ends_with_the_engine(folder: Folder) -> None:
    with holder(folder) as engine:
        assert engine_is_running(folder)

        engine.kill()
        engine.wait()

        assert not engine_is_running(folder)


def test_to_ask_neither_writes_nor_looks_like_an_engine(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a lock that nobody holds, in a folder where nothing can be opened for writing
    with engine_lock(folder):
        pass
    modes: list[int] = []
    opened = os.open

    def remember(path: Path, flags: int, *mode: int) -> int:
        modes.append(flags)
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", remember)
    # WHEN
    running = engine_is_running(folder)
    # THEN
    assert not running
    assert modes == [os.O_RDONLY]


def test_files_of_an_engine_that_died_are_no_running_engine(folder: Folder) -> None:
    with engine_lock(folder):
        folder.write_record(EngineRecord(pid=os.getpid(), port=1))
        folder.stack_file.write_text("{}")

    assert not engine_is_running(folder)


def test_a_second_start_is_refused_and_names_the_port_of_the_first(folder: Folder) -> None:
    with holder(folder) as engine:
        folder.write_record(EngineRecord(pid=engine.pid, port=4711))

        with pytest.raises(EnvironmentProblem, match=r"on port 4711 already.*matchcast down"), engine_lock(folder):
            pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": 1, "port": 2, "more": 3}'])
def test_a_record_that_cannot_be_read_counts_as_none(folder: Folder, text: str) -> None:
    folder.root.mkdir()
    folder.engine.write_text(text)

    assert folder.record() is None


def test_a_record_is_read_as_it_was_written(folder: Folder) -> None:
    folder.root.mkdir()
    folder.write_record(EngineRecord(pid=12, port=34))

    assert folder.record() == EngineRecord(pid=12, port=34)


def test_files_that_may_hold_secrets_are_for_their_owner_only(folder: Folder) -> None:
    folder.root.mkdir()

    write_whole(folder.stack_file, json.dumps({"token": "secret"}))

    assert folder.stack_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.root.iterdir()] == ["stack.json"]
