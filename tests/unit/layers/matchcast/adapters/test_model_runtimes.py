"""Each runtime of an image loads the models that it was built for, and imports no more than they need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from matchcast.adapters.model_loaders import loader_for
from matchcast.errors import ReleaseRefused
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.pyfunc_models import LOGISTIC, ROWS, code, published, saved
from tests.support.template import ROOT

pytestmark = MLFLOW_WARNINGS


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
