"""Model directories: what they are asked, what they may answer, and what is refused before it can serve."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import mlflow.lightgbm
import mlflow.sklearn
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from matchcast.adapters import pyfunc_model
from matchcast.adapters.model_loaders import loader_for
from matchcast.adapters.pyfunc_model import FOLDER, MLMODEL, load_pyfunc
from matchcast.domain.signature import Column
from matchcast.errors import ModelFailed, ReleaseRefused
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.pyfunc_models import COLUMNS, LOGISTIC, code, files_of, mlflow_signature, no_advice, published, saved
from tests.support.template import ROOT

pytestmark = MLFLOW_WARNINGS

ROWS = np.array([[0, 1], [400, 0], [-400, 0.5]], dtype=np.float32)


def answer(body: str, rows: Any = ROWS, columns: tuple[Column, ...] = COLUMNS) -> Any:
    """Return what a model makes of rows whose `predict` has this body."""
    files = saved(code(body), columns)
    return load_pyfunc(published(files, columns), files).predict(rows)


class TestAnswers:
    def test_a_custom_model_gives_probabilities_for_every_row(self) -> None:
        found = answer(LOGISTIC)

        assert found.dtype == np.float32
        np.testing.assert_allclose(found[0], [0.35, 0.3, 0.35])
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)

    def test_a_table_with_names_is_read_by_its_names(self) -> None:
        body = "import pandas as pd; n = len(model_input)\n"
        body += "return pd.DataFrame({'away': [0.1] * n, 'draw': [0.2] * n, 'home': [0.7] * n})"
        np.testing.assert_allclose(answer(body), [[0.7, 0.2, 0.1]] * 3, rtol=1e-6)

    @pytest.mark.parametrize("kind", ["pd.DataFrame({numbers})", "{numbers}"], ids=["table", "list"])
    def test_without_names_the_order_counts(self, kind: str) -> None:
        numbers = "[[0.7, 0.2, 0.1]] * len(model_input)"
        body = f"import pandas as pd; return {kind.format(numbers=numbers)}"
        np.testing.assert_allclose(answer(body), [[0.7, 0.2, 0.1]] * 3, rtol=1e-6)

    def test_columns_have_the_types_of_the_signature(self) -> None:
        # GIVEN a model that checks the types and values of its input
        columns = tuple(Column(name=kind, type=kind) for kind in ("float", "double", "integer", "long", "boolean"))
        body = "expected = ['float32', 'float64', 'int32', 'int64', 'bool']\n"
        body += "assert [str(each) for each in model_input.dtypes] == expected, model_input.dtypes\n"
        body += "assert model_input.iloc[0].tolist() == [0.5, 1.5, 2, 3, True]\n"
        body += "return np.tile([0.7, 0.2, 0.1], (len(model_input), 1))"
        rows = np.array([[0.5, 1.5, 2, 3, 1]], dtype=np.float32)

        # WHEN it predicts
        # THEN it accepts them
        assert answer(body, rows, columns).shape == (1, 3)

    def test_a_whole_number_that_is_optional_may_be_missing_in_some_rows(self) -> None:
        columns = (COLUMNS[0], Column(name="rest_days", type="long", required=False))
        body = "home = 0.5 if 'rest_days' in model_input and (model_input['rest_days'] == 3).all() else 0.2\n"
        body += "return np.tile([home, 0.3, 0.7 - home], (len(model_input), 1))"
        rows = np.array([[1, 3], [1, np.nan], [2, 3]], dtype=np.float32)
        np.testing.assert_allclose(answer(body, rows, columns)[:, 0], [0.5, 0.2, 0.5], rtol=1e-6)

    def test_a_row_without_a_whole_number_that_is_required_has_no_answer(self) -> None:
        columns = (COLUMNS[0], Column(name="rest_days", type="integer"))
        body = "return np.tile([0.7, 0.2, 0.1], (len(model_input), 1))"
        found = answer(body, np.array([[1, 3], [1, np.nan]], dtype=np.float32), columns)
        assert np.isfinite(found[0]).all()
        assert np.isnan(found[1]).all()

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ("raise KeyError('elo')", "KeyError: 'elo'"),
            ("raise type('Odd', (Exception,), {})('own')", "Odd: own"),
            ("return ['home'] * 3", "ValueError"),
            ("return None", r"shape \(\)"),
            ("return np.zeros(len(model_input))", r"shape \(3,\)"),
            ("return np.zeros((len(model_input), 2))", r"shape \(3, 2\)"),
            ("return np.zeros((1, 3))", r"shape \(1, 3\)"),
        ],
    )
    def test_anything_else_is_a_failure_of_the_model(self, body: str, reason: str) -> None:
        with pytest.raises(ModelFailed, match=reason):
            answer(body)

    def test_no_rows_need_no_call_of_the_model(self) -> None:
        assert answer("raise AssertionError", ROWS[:0]).shape == (0, 3)

    def test_rows_of_another_width_are_a_failure(self) -> None:
        with pytest.raises(ModelFailed, match="2 columns"):
            answer(LOGISTIC, np.zeros((2, 3), dtype=np.float32))


class TestClassifiers:
    """MLflow calls `predict`, which gives labels, unless another function was chosen when it was logged."""

    def test_a_classifier_of_scikit_learn_gives_probabilities(self, tmp_path: Path) -> None:
        rows = np.random.default_rng(0).normal(size=(90, 2)).astype(np.float32)
        model = LogisticRegression().fit(rows, np.arange(90) % 3)
        mlflow.sklearn.save_model(model, str(tmp_path / "m"), signature=mlflow_signature(), pip_requirements=[])
        files = files_of(tmp_path / "m")
        found = load_pyfunc(published(files), files).predict(rows)
        np.testing.assert_allclose(found, model.predict_proba(rows), atol=1e-7)

    def test_a_classifier_of_lightgbm_gives_probabilities(self, tmp_path: Path) -> None:
        from lightgbm import LGBMClassifier

        rows = np.random.default_rng(0).normal(size=(90, 2)).astype(np.float32)
        model = LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(rows, np.arange(90) % 3)
        mlflow.lightgbm.save_model(model, str(tmp_path / "m"), signature=mlflow_signature(), pip_requirements=[])
        files = files_of(tmp_path / "m")
        found = load_pyfunc(published(files), files).predict(rows)
        np.testing.assert_allclose(found, model.booster_.predict(rows), atol=1e-7)


class TestRefusals:
    @pytest.mark.parametrize("name", ["../outside", "/etc/outside", "model/../../outside", "model\\outside"])
    def test_no_file_is_written_outside_of_the_folder(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        files = {MLMODEL: b"", name: b"x"}
        with pytest.raises(ReleaseRefused, match="outside of its folder"):
            load_pyfunc(published(files), files)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("files", "reason"),
        [
            ({}, "has no model/MLmodel"),
            ({MLMODEL: b"{{{ not yaml"}, "cannot be loaded here"),
            ({MLMODEL: b"flavors: {}\n"}, "cannot be loaded here"),
            ({MLMODEL: b"flavors: {python_function: {loader_module: not_there}}\n"}, "No module named 'not_there'"),
        ],
        ids=["no MLmodel", "not YAML", "no pyfunc flavor", "a loader that is not there"],
    )
    def test_what_is_no_model_directory(
        self, files: dict[str, bytes], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with pytest.raises(ReleaseRefused, match=reason):
            load_pyfunc(published(files), files)
        assert list(tmp_path.iterdir()) == [], "what was written for a model that is refused stays behind"

    def test_code_that_raises_while_it_is_loaded(self) -> None:
        files = saved(code(LOGISTIC))
        name = next(name for name in files if name.endswith(".py"))
        files[name] = b"raise RuntimeError('not today')"
        with pytest.raises(ReleaseRefused, match=r"cannot be loaded here.*not today"):
            load_pyfunc(published(files), files)

    def test_functions_that_another_python_pickled(self) -> None:
        files = saved(local_model())
        assert load_pyfunc(published(files), files).predict(ROWS).shape == (3, 3)

        here = f"{sys.version_info.major}.{sys.version_info.minor}."
        files[MLMODEL] = files[MLMODEL].replace(f"python_version: {here}".encode(), b"python_version: 3.8.")
        with pytest.raises(ReleaseRefused, match=r"pickled by Python 3\.8"):
            load_pyfunc(published(files), files)

    def test_an_image_without_mlflow_says_how_to_get_one_with_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        files = saved(code(LOGISTIC))
        monkeypatch.setitem(sys.modules, "mlflow.pyfunc", None)
        with pytest.raises(ReleaseRefused, match="ModelRuntime=pyfunc"):
            load_pyfunc(published(files), files)


def local_model() -> Any:
    """Return a model whose class no module has, so that its code is in the pickle."""
    from mlflow.pyfunc import PythonModel

    with no_advice():

        class Local(PythonModel):
            def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
                return [[0.5, 0.3, 0.2]] * len(model_input)

    return Local()


class TestFolder:
    def test_is_private_and_goes_with_the_model(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # GIVEN a published model
        files = saved(code(LOGISTIC))
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

        # WHEN it is loaded
        model = load_pyfunc(published(files), files)

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
        found = load_pyfunc(published(files), files).predict(ROWS)
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
            models.append(load_pyfunc(published(files), files))
        before = list(sys.path)

        # WHEN they are called for the first time after both are loaded: what they import only then is their own too
        found = [model.predict(ROWS[:1])[0, 0] for model in (*models, *models)]

        # THEN
        np.testing.assert_allclose(found, [0.6, 0.2, 0.6, 0.2], rtol=1e-6)
        assert sys.path == before
        assert {"strength", "late"}.isdisjoint(sys.modules)


class TestRuntimes:
    def test_an_image_for_onnx_refuses_and_says_what_to_do(self) -> None:
        files = saved(code(LOGISTIC))
        with pytest.raises(ReleaseRefused, match=r"built for ONNX alone.*ModelRuntime=pyfunc"):
            loader_for("onnx")(published(files), files)

    def test_an_image_for_pyfunc_serves_both(self) -> None:
        files = saved(code(LOGISTIC))
        assert loader_for("pyfunc")(published(files), files).predict(ROWS).shape == (3, 3)
        onnx = published(files).model_copy(update={"runtime": "onnx"})
        with pytest.raises(ReleaseRefused, match=r"has no model\.onnx"):
            loader_for("pyfunc")(onnx, files)

    @pytest.mark.parametrize("runtime", ["onnx", "pyfunc"])
    def test_neither_mlflow_nor_pandas_is_imported_for_an_onnx_model(self, runtime: str) -> None:
        # GIVEN a program that serves an ONNX model and prints the packages that it imported
        code = (
            "import sys; import functions.run_inference.handler; from matchcast.bootstrap import inference\n"
            "from tests.unit.layers.matchcast.adapters.test_onnx_model import ARTIFACT, linear, published\n"
            "import numpy, onnx; sys.modules.pop('pandas', None)\n"
            "model = inference.served_models()._load(published(), {ARTIFACT: linear()})\n"
            "assert model.predict(numpy.zeros((1, 2), 'f')).shape == (1, 3)\n"
            "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
        )
        environment = {
            "PYTHONPATH": f"{ROOT}:{ROOT / 'layers/core/python'}",
            "MODEL_RUNTIME": runtime,
            "DATA_BUCKET_NAME": "x",
            "POWERTOOLS_SERVICE_NAME": "x",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }

        # WHEN it runs
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )

        # THEN
        assert done.returncode == 0, done.stderr
        assert {"mlflow", "pandas", "sklearn", "lightgbm"}.isdisjoint(done.stdout.split())
        assert "onnxruntime" in done.stdout.split()

    def test_the_telemetry_of_mlflow_is_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
        pyfunc_model._quiet_mlflow("it")
        assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
