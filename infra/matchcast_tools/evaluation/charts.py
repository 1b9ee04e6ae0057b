"""A comparison as a picture: how reliable the probabilities are, and how the bets went."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from matchcast.domain.prediction import OUTCOMES
from matchcast.snapshots import scoring
from matchcast_tools.errors import BadInput
from matchcast_tools.evaluation.model import Comparison

_FORMATS = (".png", ".svg", ".pdf")


def draw(comparison: Comparison, path: Path) -> None:
    """Write the reliability diagram of model and book, and the profit of the model's bets over time.

    Raises
    ------
    BadInput
        If the path does not end in a picture format, or its folder cannot be written to.
    """
    if path.suffix.lower() not in _FORMATS:
        raise BadInput(f"A picture cannot be written to {path}. End its name in {', '.join(_FORMATS)}.")
    # The figure alone, without pyplot: no window system is touched.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    _reliability(left, comparison)
    _profit(right, comparison)
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise BadInput(f"The picture cannot be written to {path} ({error.strerror}). Give another path.") from error


def _reliability(axes: Any, comparison: Comparison) -> None:
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    happened = np.arange(len(OUTCOMES)) == comparison.scored.results[:, None]
    for label, chances in (("model", comparison.model), (str(comparison.scored.price), comparison.book)):
        bins = scoring.reliability(chances.ravel(), happened.ravel())
        predicted, observed = [each.predicted for each in bins], [each.observed for each in bins]
        axes.plot(predicted, observed, marker="o", markersize=4, label=label)
    axes.set(title="Reliability", xlabel="probability given", ylabel="share that came true", xlim=(0, 1), ylim=(0, 1))
    axes.legend()


def _profit(axes: Any, comparison: Comparison) -> None:
    placed = comparison.bets
    axes.axhline(0, color="0.7", linewidth=1)
    axes.set(title=f"Profit of {len(placed)} bets of one unit", xlabel="bets in the order of time", ylabel="units")
    if len(placed):
        axes.plot(np.arange(1, len(placed) + 1), (placed["returned"].to_numpy(dtype=np.float64) - 1).cumsum())
