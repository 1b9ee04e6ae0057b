"""The engine's process: its environment, its port, and that nothing of it survives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop import processes
from matchcast_tools.laptop.ending import stop_engine
from matchcast_tools.laptop.engine import Engine, tail, wait_until_ready
from matchcast_tools.laptop.processes import (
    group_members,
    marked_processes,
    marked_with,
)
from matchcast_tools.laptop.state import EngineRecord, Folder, engine_lock

# A parent and a child that ignore SIGTERM if asked to, and report when they have started.
FAMILY = """
import signal, subprocess, sys
child = (
    "import signal, time\\n"
    "if {stubborn}: signal.signal(signal.SIGTERM, signal.SIG_IGN)\\n"
    "print(1, flush=True)\\n"
    "time.sleep(60)"
)
if {stubborn}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
made = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE)
made.stdout.readline()
print(made.pid, flush=True)
{then}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "local")


def start_family(folder: Folder, *, stubborn: bool = False, then: str = "made.wait()") -> tuple[int, int]:
    """Start a process that stands for an engine, with a child that stands for a function's worker."""
    with engine_lock(folder) as lock:
        process = subprocess.Popen(
            [sys.executable, "-c", FAMILY.format(stubborn=stubborn, then=then)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            pass_fds=[lock],
            env=os.environ | marked_with(folder.root),
        )
        folder.write_record(EngineRecord(pid=process.pid, port=1))
    assert process.stdout
    child = int(process.stdout.readline())
    process.stdout.close()
    # Stopped, or ended by itself, in the test; its status is not needed.
    process.returncode = 0
    folder.scratch.mkdir()
    folder.stack_file.write_text("{}")
    return process.pid, child


def test_stopping_ends_the_engine_and_its_workers_and_removes_their_files(folder: Folder) -> None:
    parent, child = start_family(folder)
    assert group_members(parent) == sorted([parent, child])

    assert stop_engine(folder) is True

    assert group_members(parent) == []
    assert sorted(path.name for path in folder.root.iterdir()) == ["engine.lock"]


def test_processes_that_ignore_a_polite_signal_are_killed(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    parent, _ = start_family(folder, stubborn=True)

    assert stop_engine(folder) is True

    assert group_members(parent) == []


def test_workers_whose_engine_died_are_stopped_as_well(folder: Folder) -> None:
    parent, child = start_family(folder, then="")
    os.waitpid(parent, 0)
    assert group_members(parent) == [child]

    assert stop_engine(folder) is True

    assert group_members(parent) == []


def test_a_process_that_now_has_the_id_of_a_dead_engine_is_left_alone(folder: Folder) -> None:
    # GIVEN a record of an engine that has ended, whose process id is now that of another group leader
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    folder.root.mkdir()
    folder.write_record(EngineRecord(pid=other.pid, port=1))

    # WHEN the engine is to be stopped
    assert stop_engine(folder) is True

    # THEN the record is removed, and the process still runs
    assert other.poll() is None
    assert folder.record() is None
    other.kill()
    other.communicate()


def test_what_another_stack_runs_is_left_alone(folder: Folder, tmp_path: Path) -> None:
    # GIVEN an engine, and one of another folder whose name begins alike
    start_family(folder)
    other = Folder(tmp_path / "local2")
    others = start_family(other)

    # WHEN
    stop_engine(folder)

    # THEN
    assert marked_processes(folder.root) == []
    assert marked_processes(other.root) == sorted(others)
    stop_engine(other)


def test_an_engine_of_which_nothing_was_recorded_is_stopped(folder: Folder) -> None:
    # GIVEN an engine whose command was killed before it could write the record
    parent, _ = start_family(folder)
    folder.engine.unlink()

    # WHEN
    # THEN
    assert stop_engine(folder) is True
    assert group_members(parent) == []


def test_stopping_nothing_is_no_error(folder: Folder) -> None:
    assert stop_engine(folder) is False


def test_an_engine_that_ends_at_once_is_reported_with_the_end_of_its_log(folder: Folder) -> None:
    # GIVEN a log, and an engine that has ended
    folder.root.mkdir()
    folder.log.write_text("first\n" * 30 + "ModuleNotFoundError: no engine\n")

    process = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE)
    process.communicate()

    # WHEN
    with pytest.raises(EnvironmentProblem, match="no engine") as caught:
        wait_until_ready(Engine(1, process), folder)

    # THEN
    assert caught.value.detail.count("first") == 19


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "engine.log") == "(empty)"
