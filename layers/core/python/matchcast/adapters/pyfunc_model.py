"""A published MLflow model directory as a model: its files in a folder, its code in a process of its own.

Nothing of MLflow is imported here, and nothing of the model: whatever its code does, it does to its own process.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matchcast.adapters import pyfunc_child
from matchcast.adapters.model_folder import ModelFolder
from matchcast.adapters.model_process import LOOK_SECONDS, AwakeTime, ModelProcess, ProcessEnded, ProcessHung
from matchcast.domain.manifests import PublishedModel
from matchcast.domain.prediction import OUTCOMES
from matchcast.errors import MatchcastError, ModelCrashed, ModelFailed, ModelTooSlow, ModelUnavailable, ReleaseRefused

if TYPE_CHECKING:
    from matchcast.ports import Rows

FOLDER = "model/"
"""Where the model directory is among the files of a release."""
MLMODEL = FOLDER + "MLmodel"
_LEAST_SECONDS = 1.0
"""With less time left, a call that has waited for an earlier one is not tried."""
_MOST_FAILURES = 3
"""After so many failed calls in a row, the next one gets a new process: a model may have spoilt its own.

A process that has not answered any call well is kept: a new one would do no better.
"""


class PyfuncModel:
    """A model directory that is served by a process of its own (a `ports.Model`).

    A process that ended, or was ended because a call took too long, is replaced by the next call. Threads that call
    the model at once wait for each other, none of them for longer than `seconds`.
    """

    def __init__(
        self, published: PublishedModel, folder: ModelFolder, seconds: float, import_path: Sequence[str]
    ) -> None:
        self._what = f"{published.name} version {published.version}"
        self._signature = published.signature
        self._folder = folder
        self._seconds = seconds
        self._import_path = list(import_path)
        self._one_at_a_time = threading.Lock()
        self._last_seconds = 0.0
        self._failures: int | None = None
        self._ends_its_process = False
        try:
            self._process = self._started(AwakeTime(seconds))
        except ProcessEnded as error:
            raise ReleaseRefused(f"{self._what} cannot be loaded here: it ended its process {error}.") from error
        except ProcessHung as error:
            raise ReleaseRefused(f"{self._what} cannot be loaded here: it took more than {seconds:.0f} s.") from error

    def predict(self, rows: Rows) -> Rows:
        """Return probabilities, float32 of shape (n, 3), for float32 rows of shape (n, columns).

        Raises
        ------
        ModelFailed
            If the model raises something, or answers with anything but three numbers a row.
        ModelCrashed
            If it ends its process, twice where it did not do so before.
        ModelTooSlow
            If it does not answer in time, or cannot be loaded again in time.
        ModelUnavailable
            If its process is gone, and no other one can be started.
        """
        import numpy as np

        asked = np.ascontiguousarray(rows, dtype=np.float32)
        answer = self._ask(list(asked.shape), asked.tobytes())
        if len(answer) != len(asked) * len(OUTCOMES) * np.dtype(np.float64).itemsize:
            raise ModelFailed(f"The process of {self._what} answered {len(asked)} rows with {len(answer)} bytes.")
        return np.frombuffer(answer, dtype=np.float64).reshape(-1, len(OUTCOMES)).astype(np.float32)

    def _ask(self, shape: list[int], values: bytes) -> bytes:
        limit = AwakeTime(self._seconds)
        waits = not self._one_at_a_time.acquire(blocking=False)
        while waits and not self._one_at_a_time.acquire(timeout=LOOK_SECONDS):
            if limit.look() <= 0:
                raise ModelTooSlow(f"An earlier call of {self._what} has not ended within {self._seconds:.0f} s.")
        try:
            # A call that cannot end in time would only cost the model its process.
            if waits and limit.look() < max(_LEAST_SECONDS, self._last_seconds):
                raise ModelTooSlow(f"An earlier call of {self._what} has left this one too little time.")
            head, body = self._answer(shape, values, limit)
            self._count(failed=bool(head))
        except ProcessHung as error:
            raise ModelTooSlow(f"{self._what} did not answer within {self._seconds:.0f} s; it was ended.") from error
        finally:
            self._one_at_a_time.release()
        if head:
            raise ModelFailed(head["detail"])
        return body

    def _count(self, *, failed: bool) -> None:
        """Count calls that failed in a row since one was answered; after too many of them the process is ended."""
        if not failed:
            self._failures = 0
        elif self._failures is not None:
            self._failures += 1
            if self._failures >= _MOST_FAILURES:
                self._process.end()
                self._failures = None

    def _answer(self, shape: list[int], values: bytes, limit: AwakeTime) -> tuple[dict[str, Any], bytes]:
        """Return what the process answers.

        One that ends meanwhile may have been killed from outside, so the call is tried once more by a new process. A
        model that fails this as well has ended it: each of its next calls is tried once, until one is answered.
        """
        last_try = self._ends_its_process
        while True:
            try:
                process = self._ready_process(limit)
                left = limit.look()
                found = process.ask({"shape": shape}, values, limit)
            except ProcessEnded as error:
                if last_try:
                    self._ends_its_process = True
                    raise ModelCrashed(f"{self._what} ended its process {error} while it predicted.") from error
                last_try = True
            else:
                self._last_seconds = left - limit.look()
                self._ends_its_process = False
                return found

    def _ready_process(self, limit: AwakeTime) -> ModelProcess:
        """Return the process, or a new one in place of one that is gone."""
        if not self._process.is_ready():
            try:
                self._process = self._started(limit)
            except ReleaseRefused as error:
                raise ModelFailed(f"Its process had ended, and was not started again: {error.detail}") from error
        return self._process

    def _started(self, limit: AwakeTime) -> ModelProcess:
        """Return a process that has loaded the model.

        Raises
        ------
        ReleaseRefused, ProcessEnded, ProcessHung
            If it cannot be loaded.
        ModelUnavailable
            If no process can be started.
        """
        try:
            self._folder.restore()
            process = ModelProcess(pyfunc_child.__file__, self._folder, self._import_path)
        except OSError as error:
            raise ModelUnavailable(f"No process can be started for {self._what} ({error}).") from error
        asked = {
            "what": self._what,
            "folder": str(self._folder.path / FOLDER),
            "signature": self._signature.model_dump(mode="json"),
        }
        problem, _ = process.ask(asked, b"", limit)
        if problem:
            process.end()
            raise ReleaseRefused(problem["detail"])
        return process


def load_pyfunc(
    published: PublishedModel, files: Mapping[str, bytes], *, seconds: float, import_path: Sequence[str] | None = None
) -> PyfuncModel:
    """Load a published MLflow model directory from its verified files.

    The files are written to a fresh folder that only this user may read; it goes with the model, as its process does.

    Parameters
    ----------
    published, files
        The model, and its files by name.
    seconds
        How long loading may take, and then each call, with what it waits for an earlier one.
    import_path
        Where the model finds libraries; by default what this process has.

    Raises
    ------
    ReleaseRefused
        If there is no MLmodel file, a file's name leads out of the folder, or the model cannot be loaded here.
    ModelUnavailable
        If there is no room for its files or its process.
    """
    what = f"{published.name} version {published.version}"
    if MLMODEL not in files:
        raise ReleaseRefused(f"{what} has no {MLMODEL} file, so it is no model directory; publish it again.")
    folder = ModelFolder(what, files)
    try:
        return PyfuncModel(published, folder, seconds, sys.path if import_path is None else import_path)
    except MatchcastError:
        folder.remove()
        raise
