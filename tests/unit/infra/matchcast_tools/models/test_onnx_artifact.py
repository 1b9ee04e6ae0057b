"""Classifiers of the usual libraries as ONNX files of a release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from matchcast_tools.models.artifact import Exported
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.train import Trained
from tests.support.datasets import FEATURES
from tests.support.mlflow_models import register_with
from tests.support.mlflow_warnings import MLFLOW_WARNINGS

pytestmark = MLFLOW_WARNINGS


def training() -> tuple[Any, Any]:
    random = np.random.default_rng(3)
    return random.normal(size=(300, len(FEATURES))).astype(np.float32), np.arange(300) % 3


def small() -> Any:
    return LGBMClassifier(n_estimators=4, num_leaves=5, verbose=-1, n_jobs=1)


class TestOnnx:
    """Models that are logged as people log them: without a word on what MLflow shall call."""

    @pytest.mark.parametrize(
        ("flavor", "model"),
        [
            ("sklearn", LogisticRegression()),
            ("sklearn", small()),
            ("sklearn", make_pipeline(StandardScaler(), small())),
            ("lightgbm", small()),
        ],
        ids=["logistic regression", "lightgbm as scikit-learn", "pipeline with lightgbm", "lightgbm"],
    )
    def test_classifiers(
        self, flavor: str, model: Any, trained: Trained, tracking: Tracking, export_of: Callable[..., Exported]
    ) -> None:
        model.fit(*training())
        options: dict[str, Any] = {"serialization_format": "cloudpickle"} if flavor == "sklearn" else {}
        register_with(tracking, flavor, model, name="plain", **options)
        exported = export_of("plain", ["onnx"])
        assert exported.published.runtime == "onnx"
        assert exported.parity_rows == 630
        assert exported.parity_difference <= 1e-5

    def test_a_booster(self, trained: Trained, tracking: Tracking, export_of: Callable[..., Exported]) -> None:
        rows, outcomes = training()
        parameters = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1}
        booster = lightgbm.train(parameters, lightgbm.Dataset(rows, outcomes), 4)
        register_with(tracking, "lightgbm", booster, name="booster")
        exported = export_of("booster", ["onnx"])
        assert exported.published.runtime == "onnx"
        assert exported.parity_difference <= 1e-5
