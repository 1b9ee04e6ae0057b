"""Process groups: their members, a signal to all of them, and a check that all have ended."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to a process group that may have ended meanwhile."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def wait_for_group_end(group: int, seconds: float) -> list[int]:
    """Return the processes of a group that are still alive after at most `seconds`."""
    deadline = time.monotonic() + seconds
    while (alive := group_members(group)) and time.monotonic() < deadline:
        reap(group)
        time.sleep(0.02)
    return alive


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
