"""Train a calibrated 1X2 model on played matches, log it to MLflow, register it and set its aliases."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matchcast.domain.prediction import OUTCOMES
from matchcast.snapshots.dataset import FEATURES_FILE
from matchcast.snapshots.scoring import base_rate, mean_scores
from matchcast_tools.models.registry import (
    DATASET,
    MODEL_NAME,
    TRAINED_FROM,
    TRAINED_UNTIL,
    check_alias,
    configured_stages,
)
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.training_set import TrainingSet, check_enough, read_training_set
from matchcast_tools.progress import Steps

if TYPE_CHECKING:
    import pandas as pd

EXPERIMENT = "matchcast"
METRICS_NOT_FINITE = "metrics_not_finite"
"""The tag of a run that names the metrics which are infinite or no number, and so are not logged."""
EXAMPLE_ROWS = 5
# The inverse strength of the L2 penalty; features are standardised, so one value fits all of them.
REGULARISATION = 0.003


@dataclass(frozen=True, slots=True)
class Trained:
    """A registered version and how good it was on matches later than those that it had learnt from."""

    name: str
    version: str
    run_id: str
    aliases: tuple[str, ...]
    features: tuple[str, ...]
    rows: int
    validation_rows: int
    trained_from: date
    trained_until: date
    metrics: dict[str, float]
    seconds: float


def train(
    data_dir: Path,
    *,
    from_day: date | None = None,
    until_day: date | None = None,
    hold_out_last_season: bool = False,
    aliases: Sequence[str] | None = None,
    tracking: Tracking | None = None,
    progress: Steps = lambda _: None,
) -> Trained:
    """Train on the played matches of a window (both days included) and register the version under the aliases.

    The metrics come from a model that was fitted before the last season of the window and scored
    on it; the registered model is then fitted on the whole window.

    With `hold_out_last_season` it learns from nothing of the last season in the window, so that the betting
    simulation and the precomputed predictions have played matches that the model has not seen. The aliases are by
    default all configured stages.

    Raises
    ------
    BadInput, EnvironmentProblem
        If the dataset is missing, unreadable or too small, or the MLflow store is out of reach.
    """
    started = time.perf_counter()
    tracking = tracking or Tracking.find()
    aliases = tuple(check_alias(alias) for alias in (configured_stages() if aliases is None else aliases))
    progress("reading played matches")
    window = read_training_set(data_dir, from_day, until_day)
    if hold_out_last_season:
        window = window.before(window.last_season_starts())
        check_enough(window, "before the last season")
    progress(f"fitting on {len(window)} matches with {len(window.features)} features")
    earlier, later = window.before(window.validation_starts()), window.since(window.validation_starts())
    check_enough(earlier, "before those that validate the model")
    metrics = mean_scores(fit(earlier).predict_proba(frame(later)), later.outcomes)
    metrics["base_rate_log_loss"] = mean_scores(base_rate(earlier.outcomes, len(later)), later.outcomes)["log_loss"]
    model = fit(window)
    progress("logging the model to MLflow")
    params = {
        "model": "standardised multinomial logistic regression",
        "regularisation": REGULARISATION,
        "rows": len(window),
        "validation_rows": len(later),
        "validation_from": later.first_day.isoformat(),
    }
    with (data_dir / FEATURES_FILE).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    run_id, version = _register(
        model, window, tracking, dataset=digest, metrics=metrics, params=params, aliases=aliases
    )
    return Trained(
        name=MODEL_NAME,
        version=version,
        run_id=run_id,
        aliases=aliases,
        features=window.features,
        rows=len(window),
        validation_rows=len(later),
        trained_from=window.first_day,
        trained_until=window.last_day,
        metrics=metrics,
        seconds=round(time.perf_counter() - started, 3),
    )


def fit(matches: TrainingSet) -> Any:
    """Return a fitted scikit-learn pipeline whose `predict_proba` gives home, draw, away.

    A multinomial logistic regression with a log loss is calibrated by construction: on the
    training matches its mean probability of each result equals that result's frequency.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=REGULARISATION, max_iter=1000))
    return model.fit(frame(matches), matches.outcomes)


def frame(matches: TrainingSet) -> pd.DataFrame:
    """Return the feature rows with their names."""
    import pandas as pd

    return pd.DataFrame(matches.rows, columns=list(matches.features))


def _register(
    model: Any,
    window: TrainingSet,
    tracking: Tracking,
    *,
    dataset: str,
    metrics: dict[str, float],
    params: dict[str, Any],
    aliases: Sequence[str],
) -> tuple[str, str]:
    """Log, register and name a model; return its run id and version."""
    client = tracking.connect(create=True)
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    tags = {
        TRAINED_FROM: window.first_day.isoformat(),
        TRAINED_UNTIL: window.last_day.isoformat(),
        DATASET: dataset,
    }
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
    # A result that the model gave no chance makes the log loss infinite, which MLflow does not keep as a metric.
    others = ", ".join(name for name in metrics if name not in finite)
    run_tags = {**tags, METRICS_NOT_FINITE: others} if others else tags
    signature = ModelSignature(
        inputs=Schema([ColSpec("float", name) for name in window.features]),
        outputs=Schema([ColSpec("double", name) for name in OUTCOMES]),
    )
    with tracking.answering():
        experiment = client.get_experiment_by_name(EXPERIMENT)
        experiment_id = (
            experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT, tracking.artifacts)
        )
        with mlflow.start_run(experiment_id=experiment_id, tags=run_tags) as run:
            mlflow.log_params(params)
            mlflow.log_metrics(finite)
            logged = mlflow.sklearn.log_model(
                model,
                name="model",
                signature=signature,
                input_example=frame(window).tail(EXAMPLE_ROWS),
                pyfunc_predict_fn="predict_proba",
                # Named, so that MLflow does not load the model in a process of its own to find them out.
                pip_requirements=[f"{name}=={installed(name)}" for name in ("mlflow", "scikit-learn", "skops")],
            )
        if not client.search_registered_models(filter_string=f"name = '{MODEL_NAME}'", max_results=1):
            client.create_registered_model(MODEL_NAME)
        registered = client.create_model_version(
            MODEL_NAME, source=logged.model_uri, run_id=run.info.run_id, tags=tags, model_id=logged.model_id
        )
        for alias in aliases:
            client.set_registered_model_alias(MODEL_NAME, alias, registered.version)
    return run.info.run_id, str(registered.version)
