"""The verified files of a release in a folder of their own, for a model that is read from one."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from matchcast.errors import ModelUnavailable, ReleaseRefused

_PREFIX = "matchcast-model-"
_YOUNG_SECONDS = 60.0
"""A folder that was made within this time may not have its lock yet."""
_SMALL_BYTES = 65_536


class ModelFolder:
    """A fresh folder that only this user may read; it is removed when nothing refers to this object any more.

    Its files stay open, small ones in memory, so what is removed from it can be written again. Folders that killed
    processes have left are removed before it is made.

    Parameters
    ----------
    what
        The model, for errors.
    files
        What is written into it, by name.

    Raises
    ------
    ReleaseRefused
        If a file's name leads out of the folder.
    ModelUnavailable
        If there is no room for the files.
    """

    def __init__(self, what: str, files: Mapping[str, bytes]) -> None:
        if strange := [name for name in files if not _stays_inside(name)]:
            raise ReleaseRefused(f"{what} has files that lie outside of its folder: {', '.join(sorted(strange))}.")
        _remove_abandoned()
        self._held = ExitStack()
        self._locked = self._held.enter_context(ExitStack())
        self._files: dict[str, BinaryIO] = {}
        try:
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
            self._removed = weakref.finalize(self, _remove, self.path, self._held)
            try:
                self._lock()
                for name, body in files.items():
                    self._files[name] = self._kept(name, body)
            except OSError:
                self.remove()
                raise
        except OSError as error:
            raise ModelUnavailable(f"The files of {what} cannot be written ({error}).") from error

    def restore(self) -> None:
        """Write again what has been removed since, as by a cleaner of temporary files.

        Raises
        ------
        OSError
            If there is no room.
        """
        if not self.path.exists():
            self.path.mkdir(0o700)
            self._lock()
        for name, held in self._files.items():
            if not (self.path / name).exists():
                held.seek(0)
                with self._created(name) as file:
                    shutil.copyfileobj(held, file)

    def remove(self) -> None:
        """Remove the folder now."""
        self._removed()

    def _kept(self, name: str, body: bytes) -> BinaryIO:
        """Write a file, and return it open; a small one from memory, for a process has few descriptors."""
        with ExitStack() as closed_on_error:
            file = closed_on_error.enter_context(self._created(name))
            file.write(body)
            file.flush()
            if len(body) <= _SMALL_BYTES:
                return BytesIO(body)
            self._held.push(closed_on_error.pop_all())
            return file

    def _created(self, name: str) -> BinaryIO:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("x+b")

    def _lock(self) -> None:
        """Mark the folder as in use, in place of one that is gone, until this process ends in whatever way."""
        self._locked.close()
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        self._locked.callback(os.close, descriptor)
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove(path: Path, held: ExitStack) -> None:
    shutil.rmtree(path, ignore_errors=True)
    held.close()


def _remove_abandoned() -> None:
    """Remove the folders of processes that were killed: nobody holds their locks any more."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError), ExitStack() as held:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            held.callback(os.close, descriptor)
            found = os.fstat(descriptor)
            if found.st_uid == os.getuid() and time.time() - found.st_mtime > _YOUNG_SECONDS:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)


def _stays_inside(name: str) -> bool:
    """Tell whether a file's name is a plain relative path."""
    path = PurePosixPath(name)
    return not path.is_absolute() and "\\" not in name and "\0" not in name and ".." not in path.parts and name != ""
