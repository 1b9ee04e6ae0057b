"""The end of a local engine: save its state, stop it with all its processes, remove the files of its life."""

from __future__ import annotations

import shutil
import time

import urllib3

from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop.gateway import SAVE_PATH
from matchcast_tools.laptop.processes import end_processes, group_members, marked_processes
from matchcast_tools.laptop.state import Folder, engine_is_running

# 30,000 letters take 0.7 s. What is not saved after this time is asked for once more by SIGTERM.
SAVE_SECONDS = 10.0
# How long the lock of an engine is waited for that is about to start, or whose command was killed a moment ago.
LOCK_SECONDS = 5.0


def save_engine(folder: Folder) -> bool:
    """Have the running engine save its state; False if it runs and does not answer.

    Raises
    ------
    EnvironmentProblem
        If it cannot be saved.
    """
    record = folder.record()
    if record is None or not engine_is_running(folder):
        return True
    pool = urllib3.PoolManager(retries=False, timeout=SAVE_SECONDS)
    try:
        answer = pool.request("POST", f"http://127.0.0.1:{record.port}{SAVE_PATH}")
    except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ProtocolError):
        # It starts or ends in this moment, and saves by itself what it holds.
        return True
    except urllib3.exceptions.HTTPError:
        return False
    if answer.status != 204:
        raise EnvironmentProblem(
            f"The state of the laptop stack cannot be saved to {folder.kept} ({answer.data.decode(errors='replace')}). "
            "Make that possible and repeat it; `matchcast down --discard` stops without saving, and forgets the stack."
        )
    return True


def stop_engine(folder: Folder) -> bool:
    """Stop the engine and every process of the stack, remove the files of its life; False if there was none.

    Raises
    ------
    EnvironmentProblem
        If a process survives SIGKILL, or the folder stays locked.
    """
    known, deadline = folder.record() is not None, 0.0
    while True:
        found = bool(stack_processes(folder))
        end_all(folder)
        if not engine_is_running(folder):
            break
        # The lock of an engine that is about to start, or that has ended in this moment. It is waited for from the end
        # of the last process on, since a process that does not answer takes seconds to end.
        if found or not deadline:
            deadline = time.monotonic() + LOCK_SECONDS
        if time.monotonic() > deadline:
            raise EnvironmentProblem(f"Another process has locked {folder.lock}, and is none of this stack's.")
        known |= found
        time.sleep(0.05)
    clear_leftovers(folder)
    return known or found


def end_all(folder: Folder) -> None:
    """End every process of the stack in a folder.

    Raises
    ------
    EnvironmentProblem
        If one survives SIGKILL.
    """
    alive = end_processes(lambda: stack_processes(folder))
    if alive:
        raise EnvironmentProblem(f"These processes of the local engine do not end: {alive}. End them by hand.")


def stack_processes(folder: Folder) -> list[int]:
    """Return the living processes of the stack in a folder."""
    marked = marked_processes(folder.root)
    if marked is not None:
        return marked
    record = folder.record()
    return group_members(record.pid) if record is not None and engine_is_running(folder) else []


def clear_leftovers(folder: Folder) -> None:
    """Remove the files of an engine that has ended."""
    folder.forget()
    shutil.rmtree(folder.scratch, ignore_errors=True)
