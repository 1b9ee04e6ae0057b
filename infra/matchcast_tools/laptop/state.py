"""The engine of a local folder, and whether it is alive: decided by a lock, never by a process id.

The engine inherits the lock's file descriptor and holds the lock until it has ended, however it ends. So a
`stack.json` that was left behind is not taken for a running stack, even where the system has given the engine's
process id to another process; and of two starts in one folder only one succeeds.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from matchcast_tools.errors import EnvironmentProblem


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """The running engine of a local folder: its process, which leads a session of its own, and its port."""

    pid: int
    port: int


class Folder:
    """The files that a laptop stack keeps under its local folder.

    Attributes
    ----------
    lock
        Held by the engine for as long as it lives.
    engine
        The engine's process and port.
    stack_file
        The description of the deployed stack; it exists only while the stack is ready for use.
    log
        The output of the engine and of the functions.
    scratch
        What the engine writes for as long as it lives; removed with it.
    kept
        What outlives the engine: `saved`, written whole each time, with every service's state; the objects of S3, as
        files of their own; keys and code that `saved` refers to. It counts only if there is a `saved`.
    port
        The port of the last start.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock, self.engine, self.stack_file = root / "engine.lock", root / "engine.json", root / "stack.json"
        self.log, self.scratch = root / "engine.log", root / "engine"
        self.kept, self.port = root / "state", root / "port"
        self.saved, self.objects, self.parts = self.kept / "saved.json", self.kept / "s3", self.kept / "parts"

    def record(self) -> EngineRecord | None:
        """Return the recorded engine, running or not."""
        try:
            return EngineRecord(**json.loads(self.engine.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write_record(self, record: EngineRecord) -> None:
        """Record a started engine."""
        write_whole(self.engine, json.dumps(asdict(record)))

    def forget(self) -> None:
        """Remove the files that describe a stack that has ended."""
        for path in (self.stack_file, self.engine):
            path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove what outlives the engine; first the file without which the rest does not count."""
        self.saved.unlink(missing_ok=True)
        if self.kept.exists():
            shutil.rmtree(self.kept)


def write_whole(path: Path, text: str) -> None:
    """Write a file in one step, readable by its owner alone (it may contain secrets)."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.touch(mode=0o600)
        draft.write_text(text)
        draft.replace(path)
    except OSError:
        # A full disk must not fill up with drafts.
        draft.unlink(missing_ok=True)
        raise


@contextmanager
def engine_lock(folder: Folder, seconds: float = 0.0) -> Iterator[int]:
    """Hold the folder's lock; the descriptor that is yielded can be handed to the engine, which keeps it.

    An engine without a ready stack may be about to end, since its command did; up to `seconds` are waited for that.

    Raises
    ------
    EnvironmentProblem
        If an engine, or another command that starts one, holds it.
    """
    folder.root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + seconds
        while not _locked(descriptor):
            if time.monotonic() < deadline and not folder.stack_file.exists():
                time.sleep(0.05)
                continue
            record = folder.record()
            where = f" on port {record.port}" if record else ""
            raise EnvironmentProblem(
                f"A laptop stack is running or starting{where} already. Use it, or stop it with `matchcast down`."
            )
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def engine_is_running(folder: Folder) -> bool:
    """Return whether the engine of a local folder is alive."""
    try:
        # For reading: to ask changes nothing, and works where nothing may be written.
        descriptor = os.open(folder.lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _locked(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
