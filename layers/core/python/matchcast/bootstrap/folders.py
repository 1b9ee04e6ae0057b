"""Local folders for the files of batches."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDERS = "matchcast-batch-"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder that is removed afterwards, and remove those of invocations that were cut off.

    An environment is used again after an invocation that ran into its timeout, with all that it left on the disk. On a
    laptop functions share a disk, so folders of other processes that still run stay.
    """
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{_FOLDERS}*"):
        if not _is_of_another(left.name):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{_FOLDERS}{os.getpid()}-", dir=place) as folder:
        yield Path(folder)


def _is_of_another(name: str) -> bool:
    """Tell whether a folder is in use by another process."""
    process = name.removeprefix(_FOLDERS).partition("-")[0]
    if not process.isdecimal() or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)
    except OSError:
        return False
    return True
