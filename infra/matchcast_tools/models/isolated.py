"""A published model directory, tried in a fresh interpreter that knows the product and nothing of this checkout.

In this process a model may find modules that its image will not have, such as those of the folder that it was
trained in. What it answers here, an image answers too.
"""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import matchcast
from matchcast.domain.manifests import PublishedModel
from matchcast.errors import ModelFailed, ReleaseRefused
from matchcast_tools.models import isolated_worker

if TYPE_CHECKING:
    from matchcast.ports import Rows

SECONDS = 300.0
_PACKAGE = Path(matchcast.__file__).resolve().parent.parent


class IsolatedModel:
    """A published model that is loaded, asked and forgotten with every call (a `ports.Model`)."""

    def __init__(self, published: PublishedModel, files: Mapping[str, bytes]) -> None:
        self._published = published
        self._files = files

    def predict(self, rows: Rows) -> Rows:
        """Return probabilities, float32 of shape (n, 3), for float32 rows of shape (n, columns).

        Raises
        ------
        ReleaseRefused
            If the model cannot be loaded there.
        ModelFailed
            If it raises something, does not end, or takes the interpreter down.
        """
        with tempfile.TemporaryDirectory(prefix="isolated-") as name:
            folder = Path(name)
            (folder / isolated_worker.MODEL).write_text(self._published.model_dump_json())
            for file in self._published.files:
                path = folder / isolated_worker.FILES / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self._files[file])
            np.save(folder / isolated_worker.ROWS, rows)
            self._run(folder)
            if (folder / isolated_worker.ERROR).exists():
                error = json.loads((folder / isolated_worker.ERROR).read_text())
                kind = ModelFailed if error["code"] == ModelFailed.code else ReleaseRefused
                raise kind(error["detail"])
            answer: Rows = np.load(folder / isolated_worker.ANSWER, allow_pickle=False)
            return answer

    def _run(self, folder: Path) -> None:
        """Run the worker: without this checkout (-I), nor what an editable install adds to the import path (-S)."""
        libraries = [path for path in (*site.getsitepackages(), site.getusersitepackages()) if Path(path).is_dir()]
        command = [sys.executable, "-I", "-S", isolated_worker.__file__, str(folder), str(_PACKAGE), *libraries]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        what = f"{self._published.name} version {self._published.version}"
        try:
            done = subprocess.run(  # noqa: S603 - this interpreter, with a module of ours
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ModelFailed(f"{what} did not predict within {SECONDS:.0f} s.") from error
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ModelFailed(f"{what} ended its interpreter with status {done.returncode}: {last}")
