"""The one place that knows MLflow: a model directory in, a model out.

Such a model is foreign Python code. It is trusted because it was published with a digest of every file; that is why
images serve it only when they are built to. Functions open it in a process of its own (`pyfunc_child`).
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matchcast.errors import ReleaseRefused

# What cloudpickle writes where a pickle holds functions themselves, and not just their names.
_PICKLED_CODE = b"CodeType"


def open_folder(what: str, folder: Path) -> Any:
    """Return the pyfunc model in a folder; `what` names it in errors.

    Raises
    ------
    ReleaseRefused
        If it cannot be loaded here.
    """
    mlflow = _quiet_mlflow(what)
    try:
        flavor = mlflow.models.Model.load(str(folder)).flavors.get("python_function", {})
        _check_python(what, str(flavor.get("python_version", "")), folder)
        with _silenced():
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
