"""A model to score beside a bookmaker, without a registry."""

from __future__ import annotations

from datetime import date

import numpy as np

from matchcast_tools.evaluation.model import Forecaster


def forecaster(
    trained_until: date | None = date(2025, 3, 1), features: tuple[str, ...] = ("elo_difference",)
) -> Forecaster:
    """Return a fixed Elo model: what a model builder would register."""

    def predict(rows: np.ndarray) -> np.ndarray:
        home = 1 / (1 + 10 ** (-(rows[:, 0].astype(np.float64) + 60) / 400))
        return np.column_stack([home * 0.75, np.full(len(rows), 0.25), (1 - home) * 0.75])

    return Forecaster("elo", "3", "champion", features, trained_until, predict)
