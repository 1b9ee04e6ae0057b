"""A model of every kind that is exported, beside its export, on many rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from matchcast.adapters.model_loaders import load_any
from matchcast.domain.signature import Column
from matchcast_tools.models.artifact import export
from matchcast_tools.models.export import check_parity
from matchcast_tools.models.registry import MODEL_NAME, load_version, resolve
from matchcast_tools.models.tracking import Tracking
from tests.support.mlflow_models import register_with
from tests.support.pyfunc_models import mlflow_signature

ROWS = 10_000
TRAINED_ON = 3_000
# Features on scales that differ by thousands, as Elo and shares of goals do.
SCALES = np.array([1, 1, 10, 10, 100, 100, 1500, 1500, 0.1, 0.01, 1, 1])
NAMES = tuple(f"feature_{number}" for number in range(len(SCALES)))

Fitted = Callable[[pd.DataFrame, npt.NDArray[np.int64]], Any]


def differences(tracking: Tracking) -> Iterator[tuple[str, float]]:
    """Yield each kind of model, and the largest difference of a probability between it and its export.

    Raises
    ------
    ReleaseRefused
        If one cannot be exported, or the two differ by more than a publication allows.
    """
    random = np.random.default_rng(7)
    train, rows = _rows(random, TRAINED_ON), _rows(random, ROWS)
    # Many rows lie exactly on what trees split at, as whole numbers of goals do.
    rows[: ROWS // 2] = train[random.integers(0, TRAINED_ON, ROWS // 2)]
    outcomes = _outcomes(random, train)
    frame = pd.DataFrame(train, columns=list(NAMES))
    for kind, fit in KINDS.items():
        alias = kind.lower().replace(" ", "-")
        _register(tracking, alias, fit(frame, outcomes), frame.head(3))
        at = resolve(alias, tracking)
        exported = export(at, tracking, data_dir=None)
        if exported.published.runtime != "onnx":
            raise AssertionError(f"{kind} was not exported")
        yield kind, check_parity(load_version(at, tracking), load_any(exported.published, exported.bodies), rows)


def _rows(random: np.random.Generator, number: int) -> npt.NDArray[np.float32]:
    rows: npt.NDArray[np.float32] = np.round(random.normal(size=(number, len(SCALES))) * SCALES, 2).astype(np.float32)
    return rows


def _outcomes(random: np.random.Generator, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    strength = (rows / SCALES)[:, :4].sum(axis=1) + random.normal(size=len(rows))
    outcomes: npt.NDArray[np.int64] = np.digitize(-strength, [-0.5, 0.5]).astype(np.int64)
    return outcomes


def _logistic(frame: pd.DataFrame, outcomes: npt.NDArray[np.int64]) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(frame, outcomes)


def _forest(frame: pd.DataFrame, outcomes: npt.NDArray[np.int64]) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(100, random_state=0).fit(frame, outcomes)


def _boosted(frame: pd.DataFrame, outcomes: npt.NDArray[np.int64]) -> Any:
    from sklearn.ensemble import GradientBoostingClassifier

    return GradientBoostingClassifier(random_state=0, n_estimators=60).fit(frame, outcomes)


def _lightgbm_classifier(frame: pd.DataFrame, outcomes: npt.NDArray[np.int64]) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=100, random_state=0, verbose=-1, n_jobs=1).fit(frame, outcomes)


def _lightgbm_booster(frame: pd.DataFrame, outcomes: npt.NDArray[np.int64]) -> Any:
    return _lightgbm_classifier(frame, outcomes).booster_


KINDS: Mapping[str, Fitted] = {
    "logistic regression": _logistic,
    "random forest": _forest,
    "gradient boosting": _boosted,
    "LightGBM classifier": _lightgbm_classifier,
    "LightGBM booster": _lightgbm_booster,
}


def _register(tracking: Tracking, alias: str, model: Any, example: pd.DataFrame) -> None:
    signature = mlflow_signature([Column(name=name, type="float") for name in NAMES])
    options: dict[str, Any] = {"name": MODEL_NAME, "alias": alias, "signature": signature, "input_example": example}
    if type(model).__module__.startswith("lightgbm"):
        register_with(tracking, "lightgbm", model, **options)
    else:
        # The default format takes no tree ensembles unless every type in them is named.
        register_with(tracking, "sklearn", model, serialization_format="cloudpickle", **options)
