"""Export to ONNX: the same probabilities, or no release."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from matchcast.adapters.onnx_model import ARTIFACT, load_onnx
from matchcast.domain.manifests import PublishedModel
from matchcast.domain.signature import Signature
from matchcast.errors import ParityFailed, ReleaseRefused
from matchcast.ports import Model
from matchcast_tools.models.export import PARITY_LIMIT, check_parity, parity_rows, to_onnx
from matchcast_tools.models.registry import RegisteredModel, load
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.train import Trained
from tests.support.mlflow_models import Constant, logistic, register
from tests.support.mlflow_warnings import MLFLOW_WARNINGS

pytestmark = MLFLOW_WARNINGS


def served(model: RegisteredModel, artifact: bytes) -> Model:
    """Return an artifact as the functions load it."""
    published = PublishedModel(
        name=model.at.name,
        version=model.at.version,
        run_id=model.at.run_id,
        runtime="onnx",
        prefix="models/matchcast/1-x/",
        files={},
        signature=model.signature,
    )
    return load_onnx(published, {ARTIFACT: artifact})


def some_rows(count: int, columns: int, scale: float = 1.0) -> Any:
    return (np.random.default_rng(7).normal(size=(count, columns)) * scale).astype(np.float32)


class Shifted:
    """A planted model: the right probabilities, moved a little."""

    def __init__(self, model: Model, by: float) -> None:
        self._model = model
        self._by = by

    def predict(self, rows: Any) -> Any:
        return self._model.predict(rows) + np.float32(self._by)


def test_gives_the_probabilities_of_the_registered_model(champion: RegisteredModel) -> None:
    rows = parity_rows(champion, some_rows(10_000, 3))

    difference = check_parity(champion, served(champion, to_onnx(champion)), rows)

    assert len(rows) == 10_005
    assert difference <= PARITY_LIMIT


def test_the_same_model_gives_the_same_bytes(champion: RegisteredModel, tracking: Tracking) -> None:
    assert to_onnx(champion) == to_onnx(load("champion", tracking))


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        RandomForestClassifier(n_estimators=20, max_depth=6, random_state=0),
        GradientBoostingClassifier(n_estimators=10, random_state=0),
        CalibratedClassifierCV(LogisticRegression(), method="sigmoid", cv=3),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_other_classifiers_of_scikit_learn_agree_too(champion: RegisteredModel, estimator: Any) -> None:
    rows, outcomes = some_rows(400, 3), np.random.default_rng(1).integers(0, 3, 400)
    estimator.fit(rows, outcomes)
    model = planted(champion, estimator)

    difference = check_parity(model, served(model, to_onnx(model)), rows)

    assert difference <= PARITY_LIMIT


def planted(model: RegisteredModel, estimator: Any) -> RegisteredModel:
    """Return the registered model with another estimator inside."""

    class Pyfunc:
        metadata = model.pyfunc.metadata

        def predict(self, frame: Any) -> Any:
            return estimator.predict_proba(frame.to_numpy())

        def get_raw_model(self) -> Any:
            return estimator

    return dataclasses.replace(model, pyfunc=Pyfunc())


def test_a_planted_different_model_fails_parity(champion: RegisteredModel) -> None:
    other = planted(champion, logistic())
    with pytest.raises(ParityFailed, match="differ by up to"):
        check_parity(champion, served(champion, to_onnx(other)), some_rows(50, 3))


@pytest.mark.parametrize(("shift", "passes"), [(PARITY_LIMIT / 3, True), (PARITY_LIMIT * 3, False)])
def test_the_limit_of_parity_is_kept(champion: RegisteredModel, *, shift: float, passes: bool) -> None:
    exported = Shifted(served(champion, to_onnx(champion)), shift)
    if passes:
        assert check_parity(champion, exported, some_rows(50, 3)) <= PARITY_LIMIT
    else:
        with pytest.raises(ParityFailed):
            check_parity(champion, exported, some_rows(50, 3))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_fail_parity(champion: RegisteredModel, value: float) -> None:
    exported = Shifted(served(champion, to_onnx(champion)), value)
    with pytest.raises(ParityFailed, match="inf"):
        check_parity(champion, exported, some_rows(5, 3))


def test_parity_needs_rows(champion: RegisteredModel) -> None:
    with pytest.raises(ParityFailed, match="no row"):
        check_parity(champion, served(champion, to_onnx(champion)), some_rows(0, 3))
    without = dataclasses.replace(champion, example=None)
    assert parity_rows(without, some_rows(4, 3)).shape == (4, 3)


def test_a_classifier_that_onnx_lacks_is_refused(trained: Trained, tracking: Tracking) -> None:
    register(tracking, Constant(), name="constant")
    with pytest.raises(ReleaseRefused, match="constant version 1 cannot be exported"):
        to_onnx(load("champion", tracking, name="constant"))


def test_other_classes_than_home_draw_away_are_refused(trained: Trained, tracking: Tracking) -> None:
    register(tracking, logistic(classes=(0, 1)), name="two-ways")
    with pytest.raises(ReleaseRefused, match=r"classes \[0, 1\]"):
        to_onnx(load("champion", tracking, name="two-ways"))


def test_another_flavor_than_scikit_learn_is_refused(champion: RegisteredModel) -> None:
    pyfunc = SimpleNamespace(metadata=SimpleNamespace(flavors={"python_function": {}}))
    with pytest.raises(ReleaseRefused, match="logged as python_function"):
        to_onnx(dataclasses.replace(champion, pyfunc=pyfunc))


def test_a_model_that_cannot_predict_its_own_signature_is_refused(trained: Trained, tracking: Tracking) -> None:
    register(tracking, logistic(columns=2), name="too-narrow")
    model = load("champion", tracking, name="too-narrow")
    with pytest.raises(ReleaseRefused, match="its own signature"):
        model(some_rows(1, 3))


def test_an_export_that_does_not_run_is_refused(champion: RegisteredModel) -> None:
    other = dataclasses.replace(champion, signature=Signature(inputs=champion.signature.inputs[:2]))
    exported = served(other, to_onnx(planted(other, logistic(columns=2))))
    with pytest.raises(ReleaseRefused, match="does not run"):
        check_parity(champion, exported, some_rows(1, 3))
