"""The one place that knows MLflow: verified files of a model directory in, a model out.

Such a model is foreign Python code. It is trusted because it was published with a digest of every
file, and it runs with the rights of the function; that is why images serve it only when they are built to.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import warnings
import weakref
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from matchcast.adapters.model_code import OwnCode
from matchcast.adapters.pyfunc_answers import probabilities
from matchcast.domain.manifests import PublishedModel
from matchcast.domain.signature import Signature
from matchcast.errors import ReleaseRefused
from matchcast.ports import Model

if TYPE_CHECKING:
    from matchcast.ports import Rows

FOLDER = "model/"
"""Where the model directory is among the files of a release."""
MLMODEL = FOLDER + "MLmodel"
# What cloudpickle writes where a pickle holds functions themselves, and not just their names.
_PICKLED_CODE = b"CodeType"


class PyfuncModel:
    """A loaded model directory, from feature rows to probabilities of home, draw and away."""

    def __init__(self, pyfunc: Any, signature: Signature, code: OwnCode) -> None:
        self._pyfunc = pyfunc
        self._signature = signature
        self._code = code

    def predict(self, rows: Rows) -> Rows:
        """Return probabilities, float32 of shape (n, 3), for float32 rows of shape (n, columns).

        Raises
        ------
        ModelFailed
            If the model raises something, or answers with anything but three numbers a row.
        """
        import numpy as np

        with self._code.visible():
            return probabilities(self._pyfunc, self._signature, rows).astype(np.float32)


def load_pyfunc(published: PublishedModel, files: Mapping[str, bytes]) -> Model:
    """Load a published MLflow model directory from its verified files (a `ports.ModelLoader`).

    The files are written to a fresh folder that only this process may read; it goes with the model.

    Raises
    ------
    ReleaseRefused
        If there is no MLmodel file, a file's name leads out of the folder, or the model cannot be loaded here.
    """
    what = f"{published.name} version {published.version}"
    if MLMODEL not in files:
        raise ReleaseRefused(f"{what} has no {MLMODEL} file, so it is no model directory; publish it again.")
    if strange := [name for name in files if not _stays_inside(name)]:
        raise ReleaseRefused(f"{what} has files that lie outside of its folder: {', '.join(sorted(strange))}.")
    folder = Path(tempfile.mkdtemp(prefix="model-")).resolve()
    with ExitStack() as cleaning:
        cleaning.callback(shutil.rmtree, folder, ignore_errors=True)
        for name, body in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        code = OwnCode(folder)
        model = PyfuncModel(open_folder(what, folder / FOLDER, code), published.signature, code)
        weakref.finalize(model, cleaning.pop_all().close)
        return model


def open_folder(what: str, folder: Path, code: OwnCode) -> Any:
    """Return the pyfunc model in a folder; `what` names it in errors, `code` keeps its modules.

    Raises
    ------
    ReleaseRefused
        If it cannot be loaded here.
    """
    mlflow = _quiet_mlflow(what)
    try:
        flavor = mlflow.models.Model.load(str(folder)).flavors.get("python_function", {})
        _check_python(what, str(flavor.get("python_version", "")), folder)
        with code.visible(), _silenced():
            return mlflow.pyfunc.load_model(str(folder), suppress_warnings=True)
    except ReleaseRefused:
        raise
    # Loading runs the model's own code, which may raise anything; whatever it is, the last good version keeps serving.
    except Exception as error:
        raise ReleaseRefused(
            f"{what} cannot be loaded here ({type(error).__name__}: {error}). Its libraries have to be in "
            "functions/run_inference/requirements-pyfunc.in, and its own modules in it, by `code_paths`."
        ) from error


def _quiet_mlflow(what: str) -> Any:
    """Return MLflow without hints on the console."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    try:
        with _silenced():
            import mlflow.pyfunc
    except ImportError as error:
        raise ReleaseRefused(
            f"{what} is an MLflow model directory, and this image was built without MLflow ({error}). "
            "Build and deploy with ModelRuntime=pyfunc."
        ) from error
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    return mlflow


@contextmanager
def _silenced() -> Iterator[None]:
    """Drop what MLflow warns about: advice to those who log models, which is of no use here.

    Recorded and not just ignored, since MLflow sets filters of its own.
    """
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("ignore")
        yield


def _check_python(what: str, logged_with: str, folder: Path) -> None:
    """Refuse functions that were pickled by another Python: their bytecode could end the process, not just fail."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    foreign = logged_with.split(".")[:2] != here.split(".")
    if foreign and any(_PICKLED_CODE in path.read_bytes() for path in folder.rglob("*.pkl")):
        raise ReleaseRefused(
            f"{what} holds functions that were pickled by Python {logged_with}; they cannot run in {here}. "
            f"Log it from a file of code (`python_model='model.py'`), or with Python {here}."
        )


def _stays_inside(name: str) -> bool:
    """Tell whether a file's name is a plain relative path."""
    path = PurePosixPath(name)
    return not path.is_absolute() and "\\" not in name and "\0" not in name and ".." not in path.parts and name != ""
