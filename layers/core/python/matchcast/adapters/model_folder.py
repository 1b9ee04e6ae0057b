"""The verified files of a release in a folder of their own, for a model that is read from one."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from matchcast.errors import ModelUnavailable, ReleaseRefused


class ModelFolder:
    """A fresh folder that only this user may read; it is removed when nothing refers to this object any more.

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
        try:
            self.path = Path(tempfile.mkdtemp(prefix="model-")).resolve()
            self._removed = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
            try:
                for name, body in files.items():
                    path = self.path / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(body)
            except OSError:
                self.remove()
                raise
        except OSError as error:
            raise ModelUnavailable(f"The files of {what} cannot be written ({error}).") from error

    def remove(self) -> None:
        """Remove the folder now."""
        self._removed()


def _stays_inside(name: str) -> bool:
    """Tell whether a file's name is a plain relative path."""
    path = PurePosixPath(name)
    return not path.is_absolute() and "\\" not in name and "\0" not in name and ".." not in path.parts and name != ""
