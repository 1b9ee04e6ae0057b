"""A model directory keeps its files and its code to itself while it serves."""

from __future__ import annotations

import gc
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from matchcast.adapters.pyfunc_model import FOLDER, MLMODEL
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.pyfunc_models import LOGISTIC, ROWS, code, load, saved

if TYPE_CHECKING:
    import pytest

pytestmark = MLFLOW_WARNINGS


class TestFolder:
    def test_is_private_and_goes_with_the_model(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # GIVEN a published model
        files = saved(code(LOGISTIC))
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

        # WHEN it is loaded
        model = load(files)

        # THEN only its owner may read its folder
        (folder,) = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / MLMODEL).read_bytes() == files[MLMODEL]

        # WHEN the model is deleted
        del model
        gc.collect()

        # THEN the folder is deleted too
        assert list(tmp_path.iterdir()) == []

    def test_files_in_folders_of_the_model_are_there_while_it_serves(self, tmp_path: Path) -> None:
        (tmp_path / "table.txt").write_text("0.6 0.3 0.1")
        body = "return np.tile(np.loadtxt(context.artifacts['table']), (len(model_input), 1))"
        files = saved(code(body), artifacts={"table": str(tmp_path / "table.txt")})
        assert FOLDER + "artifacts/table.txt" in files
        found = load(files).predict(ROWS)
        np.testing.assert_allclose(found, [[0.6, 0.3, 0.1]] * 3, rtol=1e-6)


class TestOwnCode:
    def test_two_versions_with_a_module_of_one_name_do_not_mix(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # GIVEN two models whose modules have the same names
        models = []
        for home in (0.6, 0.2):
            (tmp_path / "strength.py").write_text(f"HOME = {home}\n")
            (tmp_path / "late.py").write_text(f"AWAY = {0.7 - home}\n")
            body = "import late; n = len(model_input)\n"
            body += "return np.tile([strength.HOME, 0.3, late.AWAY], (n, 1))"
            paths = [str(tmp_path / "strength.py"), str(tmp_path / "late.py")]
            with monkeypatch.context() as patch:
                patch.syspath_prepend(tmp_path)
                files = saved("import strength\n" + code(body), code_paths=paths)
            sys.modules.pop("strength")
            models.append(load(files))
        before = list(sys.path)

        # WHEN they are called for the first time after both are loaded: what they import only then is their own too
        found = [model.predict(ROWS[:1])[0, 0] for model in (*models, *models)]

        # THEN
        np.testing.assert_allclose(found, [0.6, 0.2, 0.6, 0.2], rtol=1e-6)
        assert sys.path == before
        assert {"strength", "late"}.isdisjoint(sys.modules)
