"""A model in an interpreter of its own: its failures, and what it cannot see."""

from __future__ import annotations

import numpy as np
import pytest

from matchcast.errors import ModelFailed
from matchcast_tools.models.isolated import IsolatedModel
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.pyfunc_models import STEADY, code, published, saved

pytestmark = MLFLOW_WARNINGS


class TestIsolation:
    def test_a_model_that_crashes_its_interpreter_is_a_failure(self) -> None:
        files = saved(code("import os; os._exit(3)"))
        with pytest.raises(ModelFailed, match="ended its interpreter with status 3"):
            IsolatedModel(published(files), files).predict(np.zeros((1, 2), dtype=np.float32))

    def test_a_model_that_does_not_end_is_a_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        files = saved(code("import time; time.sleep(60)"))
        monkeypatch.setattr("matchcast_tools.models.isolated.SECONDS", 0.5)
        with pytest.raises(ModelFailed, match="did not predict within"):
            IsolatedModel(published(files), files).predict(np.zeros((1, 2), dtype=np.float32))

    def test_errors_come_back_as_what_they_are(self) -> None:
        files = saved(code("raise KeyError('x')"))
        with pytest.raises(ModelFailed, match="KeyError"):
            IsolatedModel(published(files), files).predict(np.zeros((1, 2), dtype=np.float32))

    def test_it_knows_neither_this_checkout_nor_the_registry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
        body = "import importlib.util as u, os\n"
        body += "assert not [n for n in ('infra', 'tests', 'functions') if u.find_spec(n)]\n"
        body += "assert 'MLFLOW_TRACKING_URI' not in os.environ\n" + STEADY
        files = saved(code(body))
        found = IsolatedModel(published(files), files).predict(np.zeros((1, 2), dtype=np.float32))
        np.testing.assert_allclose(found, [[0.5, 0.3, 0.2]], rtol=1e-6)
