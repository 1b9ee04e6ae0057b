"""The local engine, MiniStack, as a process of its own: start it, and wait for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import urllib3

from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop.ending import LOCK_SECONDS, clear_leftovers, end_all
from matchcast_tools.laptop.environment import engine_environment
from matchcast_tools.laptop.keeping import prepare
from matchcast_tools.laptop.ports import choose_port, require_addresses
from matchcast_tools.laptop.processes import RELEASE
from matchcast_tools.laptop.signals import uninterrupted
from matchcast_tools.laptop.state import EngineRecord, Folder, engine_lock, write_whole

READY_SECONDS = 30.0


@dataclass(slots=True)
class Engine:
    """An engine that this process owns: it ends with its owner, unless it is released."""

    port: int
    process: subprocess.Popen[bytes]
    is_released: bool = False
    """Whether the engine outlives this process."""

    @property
    def pid(self) -> int:
        """The engine's process, which leads a session of its own."""
        return self.process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the engine has ended."""
        return self.process.poll() is not None

    def ends_within(self, seconds: float) -> bool:
        """Return whether the engine has ended, or does so in a moment."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def release(self) -> None:
        """Let the engine outlive this process."""
        if self.process.stdin is not None:
            self.process.stdin.write(RELEASE + b"\n")
            self.process.stdin.close()
        self.is_released = True
        # Without an exit status Python would warn of a process that still runs.
        self.process.returncode = 0

    def close(self) -> None:
        """Read the exit status of an engine that was stopped, and close its owner's pipe."""
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


def start_engine(folder: Folder, port: int | None = None, bind: Sequence[str] = (), *, new: bool = False) -> Engine:
    """Start an engine in a session of its own, and wait until it answers; it continues what `folder` keeps.

    Parameters
    ----------
    folder
        Where it keeps its log, scratch files, record and state.
    port
        A loopback port; by default that of the last start, else a free one.
    bind
        Addresses or names to listen on in addition to loopback.
    new
        Discard what is kept.

    Raises
    ------
    EnvironmentProblem
        If one is running already, the port is taken, what is kept cannot be read, or the engine does not come up.
    """
    with engine_lock(folder, LOCK_SECONDS) as lock:
        # Whatever an engine left that was killed: it holds no lock, so nobody else ends it.
        end_all(folder)
        clear_leftovers(folder)
        chosen = choose_port(folder.port, port, new=new)
        addresses = require_addresses(bind, chosen)
        if new:
            folder.discard()
        prepare(folder, chosen)
        folder.scratch.mkdir(parents=True, exist_ok=True)
        try:
            engine = Engine(chosen, spawn(folder, chosen, addresses, lock))
            folder.write_record(EngineRecord(pid=engine.pid, port=chosen))
            write_whole(folder.port, str(chosen))
            wait_until_ready(engine, folder)
        except BaseException:
            with uninterrupted():
                end_all(folder)
                clear_leftovers(folder)
            raise
    return engine


def spawn(folder: Folder, port: int, bind: Sequence[str], lock: int) -> subprocess.Popen[bytes]:
    """Return the engine's process; it keeps the lock, and this process its stdin."""
    with folder.log.open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - the engine of this environment
            [sys.executable, "-m", "matchcast_tools.laptop.gateway", str(folder.root), str(port), *bind],
            cwd=folder.scratch,
            env=engine_environment(os.environ, folder, port),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[lock],
        )


def wait_until_ready(engine: Engine, folder: Folder) -> None:
    """Return once the engine answers.

    Raises
    ------
    EnvironmentProblem
        If it ended, or did not answer in time; the end of its log is part of the message.
    """
    pool = urllib3.PoolManager(retries=False, timeout=2)
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and not engine.has_ended:
        try:
            if pool.request("GET", f"http://127.0.0.1:{engine.port}/_ministack/ready").status == 200:
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.02)
    raise EnvironmentProblem(f"The local engine did not start. The end of {folder.log}:\n{tail(folder.log)}")


def tail(path: Path, lines: int = 20) -> str:
    """Return the last lines of a log."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(empty)"
