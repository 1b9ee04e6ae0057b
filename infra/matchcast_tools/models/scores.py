"""How good probabilities are: log loss, Brier score, ranked probability score, accuracy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FLOOR = 1e-15
"""The least probability that the log loss takes a logarithm of."""


def scores(probabilities: npt.NDArray[np.float64], outcomes: npt.NDArray[np.int64]) -> dict[str, float]:
    """Return the mean scores of predictions.

    Parameters
    ----------
    probabilities
        Home, draw, away; shape (n, 3), n > 0.
    outcomes
        What happened: 0 home, 1 draw, 2 away; shape (n,).

    Returns
    -------
    dict
        `log_loss` (natural), `brier` (sum over the classes, 0 to 2), `rps` (halved, 0 to 1; Epstein
        1969 for ordered classes) and `accuracy` (0 to 1).
    """
    probabilities = probabilities.astype(np.float64)
    happened = np.eye(3)[outcomes]
    chosen = np.clip(probabilities[np.arange(len(outcomes)), outcomes], FLOOR, 1.0)
    steps = np.cumsum(probabilities - happened, axis=1)[:, :2]
    return {
        "log_loss": float(-np.log(chosen).mean()),
        "brier": float(((probabilities - happened) ** 2).sum(axis=1).mean()),
        "rps": float((steps**2).sum(axis=1).mean() / 2),
        "accuracy": float((probabilities.argmax(axis=1) == outcomes).mean()),
    }
