"""Models for the gates: fitted ones as the functions see them, and ones made worse in a way that has a name."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from matchcast.ports import Model
from matchcast.snapshots.scoring import Floats, normalised
from matchcast_tools.models.train import fit
from matchcast_tools.models.training_set import TrainingSet


@dataclass
class Made:
    """A model of a function from rows to probabilities."""

    of: Callable[[Any], Any]

    def predict(self, rows: Any) -> Any:
        """Return what the function makes of the rows."""
        return self.of(rows)


def probabilities(model: Any) -> Made:
    """Return a fitted pipeline as the functions see a model: float32 in, float32 out, and fast."""
    scaler, logistic = (step for _, step in model.steps)

    def of(rows: Any) -> Any:
        powers = np.exp((rows - scaler.mean_) / scaler.scale_ @ logistic.coef_.T + logistic.intercept_)
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)

    return Made(of)


def base_rates(earlier: TrainingSet) -> Floats:
    """Return the share of each outcome."""
    return np.bincount(earlier.outcomes, minlength=3) / len(earlier)


def degraded(kind: str, earlier: TrainingSet, champion: Model) -> Model:
    """Return a model that is worse than the champion in a way that has a name."""

    def nan_for_some(rows: Any) -> Any:
        made = champion.predict(rows).copy()
        made[rows[:, 0] > 2.5] = np.nan
        return made

    def slow(rows: Any) -> Any:
        time.sleep(0.3)
        return champion.predict(rows)

    def without_the_best_feature(rows: Any) -> Any:
        return champion.predict(rows * np.array([0, 1, 1], np.float32))

    shuffled = TrainingSet(
        earlier.features,
        earlier.rows,
        np.random.default_rng(0).permutation(earlier.outcomes),
        earlier.dates,
        earlier.seasons,
    )
    kinds: dict[str, Callable[[Any], Any]] = {
        "home and away swapped": lambda rows: champion.predict(rows)[:, ::-1],
        "half base rates": lambda rows: 0.5 * champion.predict(rows) + 0.5 * base_rates(earlier),
        "shuffled results": probabilities(fit(shuffled)).of,
        "best feature zeroed": without_the_best_feature,
        "overconfident": lambda rows: normalised(champion.predict(rows).astype(np.float64) ** 2),
        "constant": lambda rows: np.tile([1 / 3, 1 / 3, 1 / 3], (len(rows), 1)),
        "certain": lambda rows: np.eye(3)[champion.predict(rows).argmax(axis=1)],
        "nan for some rows": nan_for_some,
        "infinite": lambda rows: champion.predict(rows) / 0.0 if len(rows) > 1 else champion.predict(rows),
        "no probabilities": lambda rows: champion.predict(rows) * 1.01,
        "negative": lambda rows: champion.predict(rows) * [1, 1, -1],
        "two columns": lambda rows: champion.predict(rows)[:, :2],
        "slow": slow,
    }
    return Made(kinds[kind])
