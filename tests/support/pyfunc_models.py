"""MLflow model directories of custom Python models, saved without any tracking store."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from matchcast.adapters.model_folder import ModelFolder
from matchcast.adapters.pyfunc_answers import probabilities
from matchcast.adapters.pyfunc_folder import open_folder
from matchcast.adapters.pyfunc_model import FOLDER, PyfuncModel, load_pyfunc
from matchcast.domain.manifests import FileEntry, PublishedModel
from matchcast.domain.signature import Column, Signature

if TYPE_CHECKING:
    from matchcast.ports import Rows

COLUMNS = (Column(name="elo_difference", type="float"), Column(name="form", type="double"))
ROWS = np.array([[0, 1], [400, 0], [-400, 0.5]], dtype=np.float32)

CODE = """
import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class OfTheTest(PythonModel):
    def predict(self, context, model_input, params=None):
{body}


set_model(OfTheTest())
"""
LOGISTIC = """
home = 0.7 / (1 + np.exp(-model_input["elo_difference"].to_numpy() / 400))
return np.column_stack([home, np.full(len(home), 0.3), 0.7 - home])
"""
# The body of a model that gives every match the same probabilities.
STEADY = "return np.tile([0.5, 0.3, 0.2], (len(model_input), 1))"


def code(body: str) -> str:
    """Return a file of code whose model answers with what `body` returns."""
    return CODE.format(body="\n".join(f"        {line}" for line in body.strip().splitlines()))


def mlflow_signature(columns: Sequence[Column] = COLUMNS) -> Any:
    """Return a signature as MLflow has it."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    return ModelSignature(
        inputs=Schema([ColSpec(each.type, each.name, required=each.required) for each in columns]),
        outputs=Schema([ColSpec("double", each) for each in ("home", "draw", "away")]),
    )


@contextmanager
def no_advice() -> Iterator[None]:
    """Drop MLflow's advice; it sets filters of its own, which only recording is stronger than."""
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("ignore")
        yield


def saved(model: Any, columns: Sequence[Column] = COLUMNS, **options: Any) -> dict[str, bytes]:
    """Return the files of a release with a model: the text of a file of code, or a `PythonModel`."""
    import mlflow.pyfunc

    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "model.py"
        if isinstance(model, str):
            source.write_text(model)
        folder = Path(name) / "saved"
        with no_advice():
            mlflow.pyfunc.save_model(
                str(folder),
                python_model=str(source) if isinstance(model, str) else model,
                signature=mlflow_signature(columns),
                pip_requirements=["mlflow"],
                **options,
            )
        return files_of(folder)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return a model directory as the files of a release."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    return {FOLDER + path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def published(files: dict[str, bytes], columns: Sequence[Column] = COLUMNS, version: str = "7") -> PublishedModel:
    """Return the entry of such a release in the manifest."""
    return PublishedModel(
        name="matchcast",
        version=version,
        run_id=f"run-{version}",
        runtime="pyfunc",
        prefix=f"models/matchcast/{version}-x/",
        files={name: FileEntry.of(body) for name, body in files.items()},
        signature=Signature(inputs=tuple(columns)),
    )


@dataclass(frozen=True)
class InProcess:
    """A model that is asked in this process: for tests of what it is asked and answers, not of where it runs."""

    folder: ModelFolder
    pyfunc: Any
    signature: Signature

    def predict(self, rows: Rows) -> Rows:
        return probabilities(self.pyfunc, self.signature, rows).astype(np.float32)


def in_process(files: dict[str, bytes], columns: Sequence[Column] = COLUMNS) -> InProcess:
    """Open the files of a release as the process of a model does."""
    folder = ModelFolder("it", files)
    return InProcess(folder, open_folder("it", folder.path / FOLDER), Signature(inputs=tuple(columns)))


def load(files: dict[str, bytes], columns: Sequence[Column] = COLUMNS, seconds: float = 60) -> PyfuncModel:
    """Load the files of a release as functions do."""
    return load_pyfunc(published(files, columns), files, seconds=seconds)
