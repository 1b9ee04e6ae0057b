"""The standard streams of a command that was started with some of them closed (`matchcast up --detach 2>&-`).

It imports nothing but the standard library, since a command calls it before it imports anything else.
"""

from __future__ import annotations

import os
import sys


def open_standard_streams() -> None:
    """Open what is closed of stdin, stdout and stderr on the null device.

    Else the next file that is opened gets its descriptor, and the processes that the command starts take that file,
    such as the lock of the engine, for their output. Python has None for such a stream, which libraries do not expect.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free descriptor, since those below are open.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - it has no keyword
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "w" if descriptor else "r", closefd=False))
