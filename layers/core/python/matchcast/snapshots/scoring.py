"""How good probabilities and odds were: proper scores, returns, and odds to probabilities.

Outcomes are ordered home, draw, away everywhere: probabilities and odds are float64 [n, 3], results are
integers 0, 1, 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Results = npt.NDArray[np.int64]
Margin = Literal["multiplicative", "power", "shin"]
MARGINS: tuple[Margin, ...] = get_args(Margin)

_BINS = 10
_STEPS = 80
"""Halvings of an interval: more than a float64 can tell apart."""


@dataclass(frozen=True, slots=True)
class Bin:
    """What came of probabilities of one outcome that lie in one tenth of the scale."""

    outcome: int
    lower: float
    upper: float
    rows: int
    predicted: float
    """Their mean."""
    observed: float
    """The share of them whose outcome came."""


def probabilities(odds: Floats, margin: Margin = "multiplicative") -> Floats:
    """Return the probabilities that odds imply once the bookmaker's margin is taken out; rows sum to 1.

    `multiplicative` divides 1/odds by their sum. `power` raises them to the power that makes the sum 1. `shin`
    takes the margin for protection against insiders (Shin, 1993; Jullien and Salanie, 1994), so that it weighs
    on long odds most.
    """
    raw = 1 / odds
    return _METHODS[margin](raw)


def log_losses(chances: Floats, results: Results) -> Floats:
    """Return the natural log loss of each row."""
    losses: Floats = -np.log(chances[np.arange(len(results)), results])
    return losses


def brier_scores(chances: Floats, results: Results) -> Floats:
    """Return the squared error over the three classes of each row, 0 to 2 (Brier, 1950)."""
    scores: Floats = ((chances - _one_hot(results)) ** 2).sum(axis=1)
    return scores


def ranked_scores(chances: Floats, results: Results) -> Floats:
    """Return the ranked probability score of each row, 0 to 1 (Epstein, 1969; halved for three classes)."""
    difference = np.cumsum(chances - _one_hot(results), axis=1)[:, :2]
    scores: Floats = (difference**2).sum(axis=1) / 2
    return scores


def hits(chances: Floats, results: Results) -> Floats:
    """Return 1 where the most probable outcome came, ties going to home, then draw; else 0."""
    right: Floats = (chances.argmax(axis=1) == results).astype(np.float64)
    return right


def profits(odds: Floats, results: Results, picks: Results | int) -> Floats:
    """Return the profit of one unit on the picked outcome of each row."""
    chosen = np.broadcast_to(np.asarray(picks), results.shape)
    return np.where(chosen == results, odds[np.arange(len(results)), chosen], 0.0) - 1


def favourites(odds: Floats) -> Results:
    """Return the outcome with the lowest price of each row, ties going to home, then draw."""
    picks: Results = odds.argmin(axis=1)
    return picks


def base_rate(results: Results) -> Floats:
    """Return the share of each outcome, for every row: what any forecast has to beat."""
    shares = np.bincount(results, minlength=3) / len(results)
    return np.tile(shares, (len(results), 1))


def calibration_bins(chances: Floats, results: Results) -> list[Bin]:
    """Return, for each outcome and tenth of the scale that has any, its probabilities against what came of them."""
    found = []
    for outcome in range(chances.shape[1]):
        given, came = chances[:, outcome], results == outcome
        # The last tenth holds 1 too.
        places = np.minimum((given * _BINS).astype(np.int64), _BINS - 1)
        for place in np.unique(places).tolist():
            inside = places == place
            predicted, observed = float(given[inside].mean()), float(came[inside].mean())
            found.append(Bin(outcome, place / _BINS, (place + 1) / _BINS, int(inside.sum()), predicted, observed))
    return found


def _multiplicative(raw: Floats) -> Floats:
    shares: Floats = raw / raw.sum(axis=1, keepdims=True)
    return shares


def _power(raw: Floats) -> Floats:
    exponent = _root(lambda k: (raw ** k[:, None]).sum(axis=1) - 1, 0.01, 20.0, len(raw))
    return _multiplicative(raw ** exponent[:, None])


def _shin(raw: Floats) -> Floats:
    total = raw.sum(axis=1, keepdims=True)

    def chances(insiders: Floats) -> Floats:
        z = insiders[:, None]
        fair: Floats = (np.sqrt(z**2 + 4 * (1 - z) * raw**2 / total) - z) / (2 * (1 - z))
        return fair

    # Best prices of many bookmakers have a sum below 1; the share of insiders is negative there.
    insiders = _root(lambda z: chances(z).sum(axis=1) - 1, -1.0, 0.999, len(raw))
    return _multiplicative(chances(insiders))


def _root(falling: Callable[[Floats], Floats], low: float, high: float, rows: int) -> Floats:
    """Return, for each row, where a falling function is zero, by bisection."""
    lower, upper = np.full(rows, low), np.full(rows, high)
    for _ in range(_STEPS):
        middle = (lower + upper) / 2
        above = falling(middle) > 0
        lower, upper = np.where(above, middle, lower), np.where(above, upper, middle)
    root: Floats = (lower + upper) / 2
    return root


def _one_hot(results: Results) -> Floats:
    hot: Floats = np.eye(3)[results]
    return hot


_METHODS: dict[Margin, Callable[[Floats], Floats]] = {
    "multiplicative": _multiplicative,
    "power": _power,
    "shin": _shin,
}
