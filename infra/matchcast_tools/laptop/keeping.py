"""What survives the engine: every service's state, saved by the engine's process and restored by the next one.

The engine can save its services when it shuts down in order, one file after the other. Here the state of all services
is taken at one moment, between two requests, and written as one file in one step: while the stack is in use, every few
seconds, and when it is stopped. So a task and its message are saved together, and an engine that is killed loses no
more than these seconds. The objects of S3 are files already, written with each request.

A stack that is not ready is not saved: what an interrupted start has changed is forgotten.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from typing import Any

from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop.state import Folder, write_whole

SAVE_SECONDS = 2.0
# A save takes at most this part of the time, however much there is to save.
SHARE = 0.05
ATTEMPTS = 20
START_ANEW = "`matchcast up --new` starts a new stack without it."

logger = logging.getLogger(__name__)


class Keeper:
    """Saves and restores the services of the engine in this process.

    Attributes
    ----------
    changed
        Whether there may be something to save; set with each request that is no reading one.
    """

    def __init__(self, folder: Folder, port: int) -> None:
        self._folder, self._port = folder, port
        self.changed = False

    def restore_with_the_engine(self) -> None:
        """Have the engine restore from the saved file when it starts, in place of files of its own."""
        from ministack import app

        app._load_persisted_state = self._restore  # noqa: SLF001 - the engine has no setting for it

    def save(self) -> None:
        """Save the state of every service, if the stack is ready and anything has changed.

        Raises
        ------
        OSError
            If it cannot be written; what was saved before stays.
        """
        if self.changed and self._folder.stack_file.exists():
            self.changed = False
            try:
                self._write(self._collect())
            except OSError:
                self.changed = True
                raise

    async def save_regularly(self) -> None:
        """Save again and again, for as long as the engine runs."""
        pause = SAVE_SECONDS
        while True:
            await asyncio.sleep(pause)
            started = time.perf_counter()
            try:
                self.save()
            except OSError as error:
                logger.error("The state cannot be saved: %s", error)  # noqa: TRY400 - the next attempt follows
            pause = max(SAVE_SECONDS, (time.perf_counter() - started) / SHARE)

    def _collect(self) -> dict[str, Any]:
        from ministack import app

        for attempt in range(ATTEMPTS):
            try:
                services = app._build_persistence_save_dict()  # noqa: SLF001 - the engine has no other way
                return {name: state for name, take in services.items() if (state := take()) is not None}
            except RuntimeError:
                # A thread of the engine, such as a queue's poller, added something while it was copied.
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError

    def _write(self, services: dict[str, Any]) -> None:
        from ministack.core.persistence import _json_default

        content = {"port": self._port, "services": services}
        write_whole(self._folder.saved, json.dumps(content, default=_json_default))

    def _restore(self) -> None:
        if not self._folder.saved.exists():
            return
        from ministack import app
        from ministack.core.persistence import _json_object_hook

        try:
            content = json.loads(self._folder.saved.read_text(), object_hook=_json_object_hook)
            for name, state in content["services"].items():
                app._get_module(app._state_map[name]).load_persisted_state(state)  # noqa: SLF001
        except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
            # Half a stack would take tasks and lose them; the engine itself would go on with it.
            sys.stderr.write(f"The state in {self._folder.saved} cannot be restored: {error!r}. {START_ANEW}\n")
            sys.stderr.flush()
            os._exit(1)


def prepare(folder: Folder, port: int) -> None:
    """Make what is saved fit for an engine on this port: addresses of queues contain the port.

    Raises
    ------
    EnvironmentProblem
        If what is saved cannot be read.
    """
    if not folder.saved.exists():
        # There may be parts of a stack that never was ready.
        folder.discard()
        folder.kept.mkdir(mode=0o700, parents=True)
        return
    text = folder.saved.read_text(errors="replace")
    try:
        before = int(json.loads(text)["port"])
    except (ValueError, TypeError, KeyError) as error:
        raise EnvironmentProblem(
            f"The state of the laptop stack in {folder.saved} cannot be read ({error}). {START_ANEW}"
        ) from error
    if before != port:
        for host in ("localhost", "127.0.0.1"):
            text = text.replace(f"//{host}:{before}/", f"//{host}:{port}/")
        write_whole(folder.saved, json.dumps(json.loads(text) | {"port": port}))
