"""Checks of the machine and of the local engine, and what a check finds."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal

import urllib3

from matchcast_tools.checkout import LOCAL_VARIABLE, find_checkout
from matchcast_tools.laptop.ending import stack_processes
from matchcast_tools.laptop.ports import free_port
from matchcast_tools.laptop.state import Folder, engine_is_running
from matchcast_tools.stack.sessions import READ_SECONDS

State = Literal["ok", "warning", "error"]
SIGNS: dict[State, tuple[str, str]] = {"ok": ("ok", "green"), "warning": ("--", "yellow"), "error": ("!!", "red")}
OLDEST_PYTHON = (3, 11)
RESTART = "Start it again: `matchcast down`, then `make up`; it continues with what is saved."

OTHER_FOLDER = f"Check its permissions and its disk, or name another folder of local state in {LOCAL_VARIABLE}."


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check; `remedy` says what to do where it is not ok."""

    check: str
    state: State
    detail: str
    remedy: str | None = None


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Check that the interpreter is new enough."""
    shown = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        remedy = "Install Python 3.13 and run `make setup`."
        return Finding("python", "error", f"{shown} is older than {'.'.join(map(str, OLDEST_PYTHON))}.", remedy)
    return Finding("python", "ok", f"{shown} at {sys.executable}")


def check_checkout() -> Finding:
    """Check that the command runs in a checkout, which the laptop stack is made from."""
    found = find_checkout()
    if found is None:
        remedy = "Nothing, unless you want to start a laptop stack: do that in a checkout."
        return Finding("checkout", "warning", f"{Path.cwd()} is not in a checkout.", remedy)
    return Finding("checkout", "ok", str(found))


def check_port() -> Finding:
    """Check that loopback ports can be used, and whether the system resolves the API's host name."""
    try:
        free_port()
    except OSError as error:
        remedy = "Bring up the loopback interface."
        return Finding("ports", "error", f"No port of 127.0.0.1 can be used: {error}.", remedy)
    try:
        socket.getaddrinfo("matchcast.execute-api.localhost", None)
    except OSError:
        return Finding("ports", "ok", "127.0.0.1 works; of *.localhost only curl and browsers know by themselves")
    return Finding("ports", "ok", "127.0.0.1 and *.localhost work")


def check_state(folder: Folder) -> Finding:
    """Check that local state can be written, by trying it in the folder, or in the nearest one where it would be."""
    nearest = next(path for path in (folder.root, *folder.root.parents) if path.exists())
    try:
        with TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        # Without a folder nobody has missed it yet.
        state: State = "error" if nearest == folder.root else "warning"
        detail = f"{folder.root} cannot be written ({error.strerror or error})."
        return Finding("state", state, detail, OTHER_FOLDER)
    return Finding("state", "ok", f"{folder.root} can be written")


def check_leftovers(folder: Folder) -> Finding:
    """Check that no files describe a laptop stack that has ended."""
    try:
        running, described = engine_is_running(folder), folder.engine.exists()
    except OSError as error:
        return Finding("leftovers", "error", f"{error.filename} cannot be read ({error.strerror}).", OTHER_FOLDER)
    if not running and (described or stack_processes(folder)):
        detail = f"{folder.root} describes a laptop stack that has ended."
        return Finding("leftovers", "warning", detail, "`matchcast down` cleans up.")
    return Finding("leftovers", "ok", f"none in {folder.root}")


def check_engine(url: str) -> Finding:
    """Check that the engine, whose process is alive, answers."""
    pool = urllib3.PoolManager(retries=False, timeout=READ_SECONDS)
    try:
        answer = pool.request("GET", f"{url}/_ministack/ready")
    except urllib3.exceptions.HTTPError as error:
        return Finding("engine", "error", f"It runs, and {url} does not answer: {error}.", RESTART)
    if answer.status != 200:
        return Finding("engine", "error", f"It runs, and {url} answers {answer.status}.", RESTART)
    return Finding("engine", "ok", f"answers at {url}")
