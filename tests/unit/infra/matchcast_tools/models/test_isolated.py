"""A model directory as an image would serve it: its failures, and what it cannot see."""

from __future__ import annotations

import numpy as np
import pytest

from matchcast.errors import ModelFailed
from matchcast_tools.models.isolated import load_isolated
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.pyfunc_models import ROWS, STEADY, code, published, saved

pytestmark = MLFLOW_WARNINGS


class TestIsolation:
    def test_a_model_that_crashes_its_interpreter_is_a_failure(self) -> None:
        files = saved(code("import os; os._exit(3)"))
        with pytest.raises(ModelFailed, match="ended its process with status 3"):
            load_isolated(published(files), files).predict(ROWS)

    def test_it_knows_neither_this_checkout_nor_the_registry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
        body = "import importlib.util as u, os\n"
        body += "assert not [n for n in ('infra', 'tests', 'functions') if u.find_spec(n)]\n"
        body += "assert 'MLFLOW_TRACKING_URI' not in os.environ\n" + STEADY
        files = saved(code(body))
        found = load_isolated(published(files), files).predict(ROWS)
        np.testing.assert_allclose(found, [[0.5, 0.3, 0.2]] * 3, rtol=1e-6)
