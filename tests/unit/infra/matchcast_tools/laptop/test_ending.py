"""The end of an engine that hangs: it is waited for, and what cannot be saved is said."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from matchcast_tools.laptop import ending, processes
from matchcast_tools.laptop.ending import save_engine, stop_engine
from matchcast_tools.laptop.ports import free_port
from matchcast_tools.laptop.processes import group_members, marked_with
from matchcast_tools.laptop.state import EngineRecord, Folder, engine_lock

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"


def test_a_lock_is_waited_for_from_the_end_of_its_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN an engine that has to be killed, later than a lock is waited for, and whose lock lasts a moment longer
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.6)
    monkeypatch.setattr(ending, "LOCK_SECONDS", 0.5)
    folder, locked = Folder(tmp_path), threading.Event()
    engine = subprocess.Popen(
        [sys.executable, "-c", STUBBORN],
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=os.environ | marked_with(tmp_path),
    )
    assert engine.stdout is not None
    engine.stdout.readline()

    def hold() -> None:
        with engine_lock(folder):
            locked.set()
            while group_members(engine.pid):
                time.sleep(0.01)
            time.sleep(0.15)

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait()

    # WHEN
    stopped = stop_engine(folder)

    # THEN
    assert stopped is True
    holder.join()
    engine.stdout.close()
    engine.wait()


@pytest.mark.enable_socket
def test_an_engine_that_hangs_is_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    monkeypatch.setattr(ending, "SAVE_SECONDS", 0.2)
    folder = Folder(tmp_path)

    # WHEN
    with socket.create_server(("127.0.0.1", 0)) as hung, engine_lock(folder):
        folder.write_record(EngineRecord(pid=1, port=hung.getsockname()[1]))
        saved = save_engine(folder)

    # THEN
    assert saved is False


@pytest.mark.enable_socket
def test_an_engine_that_does_not_listen_has_nothing_to_save(tmp_path: Path) -> None:
    folder = Folder(tmp_path)

    with engine_lock(folder):
        folder.write_record(EngineRecord(pid=1, port=free_port()))
        assert save_engine(folder) is True
