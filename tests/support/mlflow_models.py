"""Models to register in a test's MLflow store, good ones and odd ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from matchcast.domain.signature import Column
from matchcast_tools.models.tracking import Tracking
from tests.support.datasets import FEATURES
from tests.support.pyfunc_models import mlflow_signature, no_advice

INPUTS = tuple(("float", name) for name in FEATURES)


class Constant(ClassifierMixin, BaseEstimator):
    """A classifier of a kind that no exporter knows."""

    classes_ = np.arange(3)

    def predict(self, rows: Any) -> Any:
        """Return class 0 for every row."""
        return np.zeros(len(rows), dtype=int)

    def predict_proba(self, rows: Any) -> Any:
        """Return the same probabilities for every row."""
        return np.tile([0.5, 0.3, 0.2], (len(rows), 1))


def logistic(classes: Sequence[int] = (0, 1, 2), columns: int = len(FEATURES), scale: float = 1.0) -> Any:
    """Return a fitted logistic regression of some classes."""
    random = np.random.default_rng(0)
    rows = (random.normal(size=(300, columns)) * scale).astype(np.float32)
    return LogisticRegression().fit(rows, random.choice(list(classes), 300))


def register(
    tracking: Tracking,
    model: Any,
    *,
    name: str,
    alias: str = "champion",
    inputs: Sequence[tuple[str, str | None]] | None = INPUTS,
    tags: Mapping[str, str] | None = None,
) -> str:
    """Log and register a scikit-learn model and return its version; `inputs=None` leaves out the signature."""
    client = tracking.connect(create=True)
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    signature = None
    if inputs is not None:
        outputs = Schema([ColSpec("double", each) for each in ("home", "draw", "away")])
        signature = ModelSignature(inputs=Schema([ColSpec(kind, column) for kind, column in inputs]), outputs=outputs)
    with mlflow.start_run(experiment_id=_experiment(client, tracking)) as run:
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=signature,
            pyfunc_predict_fn="predict_proba",
            pip_requirements=["scikit-learn"],
            skops_trusted_types=[f"{Constant.__module__}.{Constant.__qualname__}"],
        )
    return _register(client, logged, run.info.run_id, name=name, alias=alias, tags=tags)


def register_with(
    tracking: Tracking,
    flavor: str,
    model: Any,
    *,
    name: str,
    alias: str = "champion",
    tags: Mapping[str, str] | None = None,
    **options: Any,
) -> str:
    """Log and register a model by a flavor of MLflow (`lightgbm`, `sklearn`); for `pyfunc` the path of its code."""
    client = tracking.connect(create=True)
    import mlflow

    keys = {"lightgbm": "lgb_model", "sklearn": "sk_model", "pyfunc": "python_model"}
    signature = mlflow_signature([Column(name=column, type="float") for column in FEATURES])
    options = {keys[flavor]: model, "name": "model", "signature": signature, "pip_requirements": ["mlflow"], **options}
    with mlflow.start_run(experiment_id=_experiment(client, tracking)) as run, no_advice():
        logged = getattr(mlflow, flavor).log_model(**options)
    return _register(client, logged, run.info.run_id, name=name, alias=alias, tags=tags)


def _experiment(client: Any, tracking: Tracking) -> str:
    """Return an experiment of our own: the default one keeps its files in whatever folder the tests run."""
    experiment = client.get_experiment_by_name("odd models")
    found = experiment.experiment_id if experiment else client.create_experiment("odd models", tracking.artifacts)
    return str(found)


def _register(client: Any, logged: Any, run_id: str, *, name: str, alias: str, tags: Mapping[str, str] | None) -> str:
    if not client.search_registered_models(filter_string=f"name = '{name}'"):
        client.create_registered_model(name)
    version = client.create_model_version(
        name, source=logged.model_uri, run_id=run_id, tags=dict(tags or {}), model_id=logged.model_id
    )
    client.set_registered_model_alias(name, alias, version.version)
    return str(version.version)
