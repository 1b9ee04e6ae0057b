"""A process of its own for a model: asked by one caller at a time, and gone with its model or with this process.

Pipes and a socket pair are all that it needs, so it works in a Lambda environment, which has no shared memory.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from matchcast.adapters.model_folder import ModelFolder
from matchcast.adapters.model_frames import FramesEnded, receive, send

LOOK_SECONDS = 0.25
"""How often a caller that waits looks whether the process is still there."""
_LONGEST_LOOK_SECONDS = 1.0
"""What a look counts at most: more than a busy machine needs for one, less than an environment is frozen."""
_ENDING_SECONDS = 2.0
"""How long a process that has closed its connection may take to be gone."""
_WITHHELD = ("AWS_", "MLFLOW_")
"""The environment of a function, its credentials among it, and of a registry: none of it is the model's."""
_STDERR = 2
_LONGEST_HEAD = 65_536
_MOST_GROWTH = 6
"""An answer has so many bytes for each of its question at most: three float64 for a row of one float32."""


class ProcessEnded(Exception):
    """The process is gone; the text says how it ended."""


class ProcessHung(Exception):
    """The process did not answer in time, and was ended."""


class AwakeTime:
    """What is left of a number of seconds in which this process runs: time in which it is frozen does not count."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._looked = time.monotonic()

    def look(self) -> float:
        """Return the seconds that are left; to be called every `LOOK_SECONDS` while somebody waits."""
        now = time.monotonic()
        self._left -= min(now - self._looked, _LONGEST_LOOK_SECONDS)
        self._looked = now
        return self._left


class ModelProcess:
    """An interpreter that runs a script of ours, which answers one frame after the other.

    Parameters
    ----------
    script
        What it runs, as `__main__`; its arguments are two descriptors (the connection, and a pipe that ends it), then
        the import path.
    folder
        Its working folder, which stays as long as the process.
    import_path
        Where it finds modules, after the standard library.

    Raises
    ------
    OSError
        If no process can be started.
    """

    def __init__(self, script: str, folder: ModelFolder, import_path: Sequence[str]) -> None:
        self._folder = folder
        self._connection, theirs = socket.socketpair()
        ending, lifeline = os.pipe()
        try:
            # -I -S: it imports from the path given here alone, whatever the environment or an installation adds.
            # -u: what a model prints is in the log even if its process is killed.
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with a module of ours
                [sys.executable, "-I", "-S", "-u", script, str(theirs.fileno()), str(ending), *import_path],
                stdin=subprocess.DEVNULL,
                stdout=_STDERR,
                cwd=folder.path,
                env={name: value for name, value in os.environ.items() if not name.startswith(_WITHHELD)},
                pass_fds=(theirs.fileno(), ending),
                start_new_session=True,
            )
        except BaseException:
            self._connection.close()
            os.close(lifeline)
            raise
        finally:
            theirs.close()
            os.close(ending)
        self._connection.settimeout(LOOK_SECONDS)
        self._number = 0
        self._ended = weakref.finalize(self, _end, self._process, self._connection, lifeline)

    def ask(self, head: dict[str, Any], body: bytes, limit: AwakeTime) -> tuple[dict[str, Any], bytes]:
        """Return the frame that answers a frame. A process that does not answer well is ended.

        Each question has a number, which its answer repeats: no call is given the answer of another one. An answer that
        is longer than one can be is not read: its memory would be that of the caller.

        Raises
        ------
        ProcessEnded, ProcessHung
            If there is no answer.
        """
        try:
            return self._exchange(head, body, limit)
        except (OSError, FramesEnded) as error:
            raise ProcessEnded(self._how_it_ended()) from error
        except ValueError as error:
            self.end()
            raise ProcessEnded("without an answer to this call") from error
        except ProcessHung:
            self.end()
            raise

    def is_ready(self) -> bool:
        """Tell whether it can be asked. One that has ended by itself, or sent what nobody asked for, is ended here."""
        if self._ended.alive and (self._process.poll() is not None or self._has_bytes()):
            self.end()
        return self._ended.alive

    def end(self) -> None:
        """End the process now, and what it has started in its process group."""
        self._ended()

    def _exchange(self, head: dict[str, Any], body: bytes, limit: AwakeTime) -> tuple[dict[str, Any], bytes]:
        def look() -> None:
            if limit.look() <= 0:
                raise ProcessHung
            # A process that it has started may hold the connection open.
            if self._process.poll() is not None and not self._has_bytes():
                raise FramesEnded

        self._number += 1
        send(self._connection, {**head, "number": self._number}, body, look)
        answer, found = receive(self._connection, look, _LONGEST_HEAD + _MOST_GROWTH * len(body))
        if answer.pop("number", None) != self._number:
            raise ValueError("This is the answer to something else.")
        return answer, found

    def _has_bytes(self) -> bool:
        """Tell whether something can be read, the end of the connection among it."""
        readable = select.poll()
        readable.register(self._connection, select.POLLIN)
        return bool(readable.poll(0))

    def _how_it_ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING_SECONDS)
        status = self._process.poll()
        self.end()
        if status is None:
            return "without an answer"
        if status < 0:
            with suppress(ValueError):
                return f"by {signal.Signals(-status).name}"
        return f"with status {status}"


def _end(process: subprocess.Popen[bytes], connection: socket.socket, lifeline: int) -> None:
    connection.close()
    os.close(lifeline)
    # The whole group: what the model has started goes with it, unless that has a group of its own.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
