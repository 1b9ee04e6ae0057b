"""Trees as ONNX: the same decisions as the original for every float32, above all close to a threshold."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import lightgbm
import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from matchcast.adapters.onnx_model import ARTIFACT, load_onnx
from matchcast.domain.manifests import PublishedModel
from matchcast.domain.signature import Column, Signature
from matchcast.errors import ReleaseRefused
from matchcast_tools.models.export import PARITY_LIMIT, NotExportable, convert
from matchcast_tools.models.lightgbm_export import BoosterClassifier
from matchcast_tools.models.tree_export import round_down

COLUMNS = 5
FOREST = {"verbose": -1, "n_jobs": 1, "n_estimators": 30}


@cache
def training() -> tuple[Any, Any]:
    """Return 1,500 rows, one column of which has few values, and their classes."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(1500, COLUMNS)).astype(np.float32)
    rows[:, 1] = np.round(rows[:, 1] * 4) / 4
    outcomes = np.clip(np.round(rows[:, 0] + rows[:, 1] * rows[:, 2] + random.normal(size=1500) + 1), 0, 2)
    return rows, outcomes.astype(np.int64)


@cache
def questions() -> Any:
    """Return 10,000 rows: half at random, half of float32 at and next to the points where trees split."""
    random = np.random.default_rng(1)
    rows = random.normal(size=(10_000, COLUMNS)).astype(np.float32)
    for column in range(COLUMNS):
        values = np.unique(training()[0][:, column]).astype(np.float64)
        between = random.choice((values[:-1] + values[1:]) / 2, 5000).astype(np.float32)
        neighbour = np.nextafter(between, np.where(random.random(5000) < 0.5, -np.inf, np.inf).astype(np.float32))
        rows[5000:, column] = np.where(random.random(5000) < 0.4, between, neighbour)
    return rows


def with_gaps(rows: Any, share: float = 0.2) -> Any:
    return np.where(np.random.default_rng(2).random(rows.shape) < share, np.float32(np.nan), rows)


def served(estimator: Any, rows: Any) -> Any:
    """Return what the functions make of rows with the export of an estimator."""
    published = PublishedModel(
        name="matchcast",
        version="1",
        run_id="r",
        runtime="onnx",
        prefix="models/matchcast/1-x/",
        files={},
        signature=Signature(inputs=tuple(Column(name=f"f{n}", type="float") for n in range(COLUMNS))),
    )
    return load_onnx(published, {ARTIFACT: convert("it", estimator, COLUMNS)}).predict(rows)


def booster(rows: Any, outcomes: Any, **parameters: Any) -> Any:
    settings = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1, **parameters}
    return lightgbm.train(settings, lightgbm.Dataset(rows, outcomes), 20)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Fit on one thread: histogram boosting spins on all of them, which other work on the machine makes slow."""
    with threadpool_limits(1):
        yield


@pytest.mark.parametrize(
    "estimator",
    [
        pytest.param(make_pipeline(StandardScaler(), LogisticRegression()), id="logistic"),
        pytest.param(RandomForestClassifier(40, random_state=0), id="forest"),
        pytest.param(make_pipeline(StandardScaler(), RandomForestClassifier(40, random_state=0)), id="scaled forest"),
        pytest.param(GradientBoostingClassifier(n_estimators=20, random_state=0), id="boosting"),
        pytest.param(
            make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=20, random_state=0)),
            id="scaled boosting",
        ),
        pytest.param(HistGradientBoostingClassifier(max_iter=20, random_state=0), id="histograms"),
        pytest.param(CalibratedClassifierCV(RandomForestClassifier(10, random_state=0), cv=2), id="calibrated forest"),
        pytest.param(CalibratedClassifierCV(HistGradientBoostingClassifier(max_iter=5), cv=2), id="calib. histograms"),
        pytest.param(LGBMClassifier(**FOREST), id="lightgbm"),
        pytest.param(LGBMClassifier(**FOREST, boosting_type="dart"), id="lightgbm dart"),
        pytest.param(
            LGBMClassifier(**FOREST, boosting_type="rf", bagging_freq=1, bagging_fraction=0.6), id="lightgbm forest"
        ),
        pytest.param(make_pipeline(StandardScaler(), LGBMClassifier(**FOREST)), id="scaled lightgbm"),
        pytest.param(CalibratedClassifierCV(LGBMClassifier(**FOREST), cv=2), id="calibrated lightgbm"),
    ],
)
def test_agrees_with_the_original_on_10000_rows(estimator: Any) -> None:
    estimator.fit(*training())
    found, expected = served(estimator, questions()), estimator.predict_proba(questions())
    assert np.abs(found - expected).max() <= PARITY_LIMIT


def test_a_booster_agrees_with_the_original_on_10000_rows() -> None:
    model = booster(*training())
    found = served(BoosterClassifier.of("it", model), questions())
    assert np.abs(found - model.predict(questions())).max() <= PARITY_LIMIT


@pytest.mark.parametrize("seen", [False, True], ids=["new to the model", "learnt from"])
@pytest.mark.parametrize("kind", ["lightgbm", "histograms"])
def test_missing_values_go_where_the_original_sends_them(kind: str, *, seen: bool) -> None:
    estimator = LGBMClassifier(**FOREST) if kind == "lightgbm" else HistGradientBoostingClassifier(max_iter=10)
    rows, outcomes = training()
    estimator.fit(with_gaps(rows) if seen else rows, outcomes)
    asked = with_gaps(questions())
    assert np.abs(served(estimator, asked) - estimator.predict_proba(asked)).max() <= PARITY_LIMIT


def test_rounding_thresholds_to_the_nearest_float32_would_change_answers() -> None:
    """The rows are hard enough: such thresholds send some of them the other way."""
    # GIVEN
    model = LGBMClassifier(**FOREST).fit(*training())
    # WHEN thresholds are collected that the nearest float32 exceeds
    thresholds = [
        node["threshold"]
        for tree in model.booster_.dump_model()["tree_info"]
        for node in splits(tree["tree_structure"])
    ]
    above = [each for each in thresholds if float(np.float32(each)) > each]
    # THEN some rows have exactly that float32, and would go the other way
    assert above
    assert {np.float32(each) for each in above} & set(questions()[5000:].ravel().tolist())


def splits(node: Any) -> Any:
    if "threshold" in node:
        yield node
        yield from splits(node["left_child"])
        yield from splits(node["right_child"])


@pytest.mark.parametrize(
    "threshold", [0.1, 0.3, -0.1, -0.3, 1.0, 0.0, -0.0, 1e-35, 16777217.0, 1e300, -1e300, 1.7976931348623157e308]
)
def test_a_threshold_is_rounded_to_the_largest_float32_that_is_not_above(threshold: float) -> None:
    down = np.float32(round_down(threshold))
    assert float(down) <= threshold
    with np.errstate(over="ignore"):
        above = np.nextafter(down, np.float32(np.inf))
    assert float(above) > threshold


def test_the_same_model_gives_the_same_bytes() -> None:
    model = LGBMClassifier(**FOREST).fit(*training())
    assert convert("it", model, COLUMNS) == convert("it", model, COLUMNS)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"objective": "multiclassova"}, "its objective is multiclassova"),
        ({"linear_tree": True}, "linear models in its leaves"),
        ({"zero_as_missing": True}, "zero counts as missing"),
        ({"categorical_feature": [1]}, "splits by category"),
    ],
)
@pytest.mark.filterwarnings("ignore:categorical_feature:UserWarning", "ignore:.*categorical.*:UserWarning")
def test_what_onnx_lacks_is_refused(parameters: dict[str, Any], reason: str) -> None:
    rows, outcomes = training()
    rows = np.where(rows < -2, 0, rows)
    rows[:, 1] = np.abs(np.round(rows[:, 1] * 4))
    model = LGBMClassifier(**FOREST, **parameters).fit(rows, outcomes)
    with pytest.raises(NotExportable, match=reason):
        convert("it", model, COLUMNS)


def test_histograms_with_categories_are_refused() -> None:
    rows, outcomes = training()
    rows = rows.copy()
    rows[:, 1] = np.abs(np.round(rows[:, 1] * 4))
    model = HistGradientBoostingClassifier(max_iter=3, categorical_features=[1]).fit(rows, outcomes)
    with pytest.raises(NotExportable, match="splits by category"):
        convert("it", model, COLUMNS)


@pytest.mark.parametrize("objective", ["binary", "regression"])
def test_a_booster_of_other_outputs_is_refused(objective: str) -> None:
    rows, outcomes = training()
    model = booster(rows, outcomes > 0, objective=objective, num_class=1)
    with pytest.raises(ReleaseRefused, match="1 outputs, not 3"):
        BoosterClassifier.of("it", model)
