"""Processes: they end with their owner unless it releases them, and are told from those that have ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from matchcast_tools.laptop import processes
from matchcast_tools.laptop.engine import Engine
from matchcast_tools.laptop.processes import group_members, signal_group

if TYPE_CHECKING:
    import pytest

OWNED = """
import os, sys
from matchcast_tools.laptop.processes import listen_to_owner
told = listen_to_owner(lambda: os._exit(7))
print("ready", flush=True)
print(told.get().decode(), flush=True)
import time
time.sleep(60)
"""


def start_owned() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", OWNED], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def test_a_process_ends_with_its_owner() -> None:
    # GIVEN a process that was told something
    process = start_owned()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"half a")
    process.stdin.flush()
    process.stdin.write(b" line\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"half a line\n"

    # WHEN its owner's end of the pipe is closed, as the system does when the owner ends
    process.stdin.close()

    # THEN
    assert process.wait(10) == 7
    process.stdout.close()


def test_a_process_that_is_released_outlives_its_owner() -> None:
    # GIVEN
    process = start_owned()
    engine = Engine(1, process)

    # WHEN
    engine.release()

    # THEN its owner's end of the pipe is closed, and it runs on
    assert engine.is_released
    time.sleep(0.3)
    assert os.waitpid(process.pid, os.WNOHANG) == (0, 0)
    os.kill(process.pid, signal.SIGKILL)
    os.waitpid(process.pid, 0)
    assert process.stdout is not None
    process.stdout.close()


def test_a_zombie_is_no_living_process() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    deadline = time.monotonic() + 10
    while group_members(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.wait()


def test_where_there_is_no_proc_the_group_itself_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "Path", lambda _: tmp_path)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)

    assert group_members(process.pid) == [process.pid]

    process.kill()
    process.communicate()
    assert group_members(process.pid) == []


def test_a_group_that_ended_can_be_signalled() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    process.wait()

    signal_group(process.pid, signal.SIGTERM)
