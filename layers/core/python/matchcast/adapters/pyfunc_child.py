"""The process of a pyfunc model: it loads one model directory, then answers rows with probabilities until it is ended.

Run by its path (`model_process` does): `python -I -S pyfunc_child.py CONNECTION ENDING IMPORT_PATH...`.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from socket import socket
from typing import Any

_LONGEST_DETAIL = 2000
"""Characters of an error that are sent."""
_FRAMES = 3
"""How much of a traceback goes to the log: the calls next to the error, which are the model's own."""


def serve(connection: socket) -> None:
    """Answer the frames of a connection until the other side closes it.

    The first names the model: `what`, `folder` and `signature`; its answer is empty. Each of the others holds rows:
    `shape` and their float32 values; its answer holds probabilities, float64. A failure has `code` and `detail`.
    Each answer repeats the `number` of its question.
    """
    from matchcast.adapters.model_frames import FramesEnded, receive, send

    own_id = os.getpid()
    model: Any = None
    with suppress(FramesEnded, ConnectionError):
        while True:
            head, body = receive(connection)
            answer: dict[str, Any] = {}
            found = b""
            try:
                if model is None:
                    model = _load(head)
                else:
                    found = _predict(model, head, body)
            # A model is foreign code and may raise anything; what is raised has to reach the other side.
            except Exception as error:  # noqa: BLE001
                answer = _failure(error)
            finally:
                # A copy of this process, which a model has forked and not ended, must not answer too.
                if os.getpid() != own_id:
                    os._exit(1)
            send(connection, {**answer, "number": head.get("number")}, found)


def end_with(ending: int) -> None:
    """Have the kernel end this process, and all that it starts, as soon as the other end of a pipe is closed.

    No thread of the interpreter has to run for it, so a model that never lets go of the interpreter is ended too.
    """
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(ending, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(ending, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(ending, fcntl.F_SETFL, fcntl.fcntl(ending, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([ending], [], [], 0)[0]:
        sys.exit("The process that has started this one is gone.")


def _load(head: dict[str, Any]) -> Any:
    from matchcast.adapters.pyfunc_folder import open_folder
    from matchcast.domain.signature import Signature

    return open_folder(head["what"], Path(head["folder"])), Signature.model_validate(head["signature"])


def _predict(model: Any, head: dict[str, Any], body: bytes) -> bytes:
    import numpy as np

    from matchcast.adapters.pyfunc_answers import probabilities

    pyfunc, signature = model
    # A copy: a model may write into its rows.
    rows = np.frombuffer(body, dtype=np.float32).reshape(head["shape"]).copy()
    return probabilities(pyfunc, signature, rows).tobytes()


def _failure(error: Exception) -> dict[str, Any]:
    """Return what the other side is told of an error, and leave its trace in the log."""
    from matchcast.errors import MatchcastError, ModelFailed

    cause = error.__cause__ or error
    traceback.print_exception(cause, limit=-_FRAMES, chain=False)
    if not isinstance(error, MatchcastError):
        error = ModelFailed(f"The model raised {type(error).__name__} ({error}).")
    # Names of files may hold what is no text (lone surrogates), which no log, record or answer takes.
    return {"code": error.code, "detail": error.detail[:_LONGEST_DETAIL].encode(errors="replace").decode()}


def main(arguments: list[str]) -> None:
    """Serve as the process of a model."""
    connection, ending, *import_path = arguments
    end_with(int(ending))
    for descriptor in (int(connection), int(ending)):
        # What the model itself starts must not hold them open.
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - it takes no names
    # Where memory runs out, the kernel ends this process, and not the one that serves every stage.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    sys.path.extend(import_path)
    serve(socket(fileno=int(connection)))


if __name__ == "__main__":
    main(sys.argv[1:])
