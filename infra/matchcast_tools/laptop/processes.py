"""The processes of a laptop stack: how they are found, how they are ended, and that none outlives its owner.

**Found by a mark.** Everything that a stack starts inherits an environment variable with the stack's folder, so a
process belongs to a stack if it says so itself; no process id is remembered, which another program may have by now.
Where there is no /proc, the recorded process group stands in for the mark.

**Owned by a pipe.** The command that starts a process holds one end of a pipe to its stdin. However the command
ends, SIGKILL included, the system closes that end, and the process ends itself.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue

MARK = "MATCHCAST_LAPTOP_STACK"
"""Names, in the environment of a stack's processes, the stack's folder."""
RELEASE = b"release"
"""A line that lets the process outlive its owner."""
STOP_SECONDS = 5.0


def marked_with(folder: Path) -> dict[str, str]:
    """Return the environment variable that marks a process as one of the stack in a folder."""
    return {MARK: str(folder.resolve())}


def marked_processes(folder: Path) -> list[int] | None:
    """Return the living processes of the stack in a folder, or None where the system does not tell."""
    proc = Path("/proc")
    if not (proc / "self" / "environ").exists():
        return None
    ((name, value),) = marked_with(folder).items()
    mark = os.fsencode(f"{name}={value}")
    found = []
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            # It has ended meanwhile, or is another user's.
            continue
        if mark in environment.split(b"\0"):
            found.append(int(entry.name))
    return sorted(found)


def end_processes(find: Callable[[], Sequence[int]]) -> list[int]:
    """Ask what `find` finds to end, then kill what is left of it; return what survives even that."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in find():
            signal_process(pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while find() and time.monotonic() < deadline:
            time.sleep(0.02)
    return list(find())


def listen_to_owner(end: Callable[[], None]) -> SimpleQueue[bytes]:
    """Return a queue of the lines that the owner sends to stdin; once it ends without a release, call `end`.

    Both happens in a thread of its own, so `end` has to end the process by itself.
    """
    heard: SimpleQueue[bytes] = SimpleQueue()

    def listen() -> None:
        pending = b""
        # The descriptor, not the file: a thread that reads a file keeps it locked when the interpreter ends.
        while received := os.read(0, 65_536):
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                if line == RELEASE:
                    return
                heard.put(line)
        end()

    threading.Thread(target=listen, name="owner", daemon=True).start()
    return heard


def end_group() -> None:
    """End this process and its group at once."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to a process group that may have ended meanwhile."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def signal_process(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    reap(pid)


def reap(pid: int) -> None:
    """Read the exit status of a child, so that it does not remain as a zombie of a long-lived parent."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def group_members(group: int) -> list[int]:
    """Return the living processes of a process group (zombies have ended; only their status is not read yet)."""
    proc = Path("/proc")
    if not (proc / "self" / "stat").exists():
        return [group] if group_exists(group) else []
    members = []
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name in brackets may hold spaces; state, parent and group follow it.
            state, _, pgrp = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(pgrp) == group and state not in "ZX":
            members.append(int(entry.name))
    return sorted(members)


def group_exists(group: int) -> bool:
    """Return whether a process group has members, where there is no /proc."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
