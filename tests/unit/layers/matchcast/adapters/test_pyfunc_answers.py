"""What a model of a model directory is asked, and what it may answer: the part that runs in the model's process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow.lightgbm
import mlflow.sklearn
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from matchcast.domain.signature import Column
from matchcast.errors import ModelFailed
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.pyfunc_models import (
    COLUMNS,
    LOGISTIC,
    ROWS,
    code,
    files_of,
    in_process,
    mlflow_signature,
    saved,
)

pytestmark = MLFLOW_WARNINGS


def answer(body: str, rows: Any = ROWS, columns: tuple[Column, ...] = COLUMNS) -> Any:
    """Return what a model makes of rows whose `predict` has this body."""
    return in_process(saved(code(body), columns), columns).predict(rows)


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
        found = in_process(files).predict(rows)
        np.testing.assert_allclose(found, model.predict_proba(rows), atol=1e-7)

    def test_a_classifier_of_lightgbm_gives_probabilities(self, tmp_path: Path) -> None:
        from lightgbm import LGBMClassifier

        rows = np.random.default_rng(0).normal(size=(90, 2)).astype(np.float32)
        model = LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(rows, np.arange(90) % 3)
        mlflow.lightgbm.save_model(model, str(tmp_path / "m"), signature=mlflow_signature(), pip_requirements=[])
        files = files_of(tmp_path / "m")
        found = in_process(files).predict(rows)
        np.testing.assert_allclose(found, model.booster_.predict(rows), atol=1e-7)
