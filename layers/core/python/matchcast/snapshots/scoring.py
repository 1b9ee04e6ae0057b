"""How good probabilities and odds were: proper scores, returns, and odds to probabilities.

This is the only definition of each figure. Outcomes are ordered home, draw, away everywhere: probabilities and odds
are float64 [n, 3], results are integers 0, 1, 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from matchcast.domain.prediction import OUTCOMES, RESULTS
from matchcast.domain.scorecard import CalibrationBin

Floats = npt.NDArray[np.float64]
Results = npt.NDArray[np.int64]
Margin = Literal["multiplicative", "power", "shin"]
MARGINS: tuple[Margin, ...] = get_args(Margin)

Z_95 = 1.96
"""Standard errors to each side of a mean that hold 95% of a normal distribution."""
BINS = 10
"""Parts of the scale from 0 to 1 in which probabilities are compared with what happened."""

_STEPS = 80
"""Halvings of an interval: more than the precision of a float64."""


class Interval(NamedTuple):
    """A mean and the bounds of its 95% interval."""

    value: float
    low: float
    high: float


class Bin(NamedTuple):
    """What happened after probabilities in one tenth of the scale: their number, their mean, the share that came."""

    lower: float
    upper: float
    rows: int
    predicted: float
    observed: float


def as_numbers(codes: Iterable[str]) -> Results:
    """Return results H, D, A as 0, 1, 2."""
    return np.array([RESULTS.index(code) for code in codes], dtype=np.int64)


def normalised(raw: Floats) -> Floats:
    """Return probabilities as the service answers them: none negative, each row's sum 1; NaN stays NaN."""
    clipped = np.maximum(raw, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares: Floats = clipped / clipped.sum(axis=1, keepdims=True)
    return shares


def probabilities(odds: Floats, margin: Margin = "multiplicative") -> Floats:
    """Return the probabilities that odds imply once the bookmaker's margin is taken out; rows sum to 1.

    `multiplicative` divides 1/odds by their sum. `power` raises them to the power that makes the sum 1. `shin`
    takes the margin for protection against insiders (Shin, 1993; Jullien and Salanie, 1994), so that it weighs
    on long odds most.
    """
    raw = 1 / odds
    return _METHODS[margin](raw)


def log_losses(chances: Floats, results: Results) -> Floats:
    """Return the natural log loss of each row; infinite where what happened was given a probability of 0."""
    with np.errstate(divide="ignore"):
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


LOSSES: dict[str, Callable[[Floats, Results], Floats]] = {
    "log_loss": log_losses,
    "brier": brier_scores,
    "rps": ranked_scores,
}
SCORES = {**LOSSES, "accuracy": hits}


def mean_scores(chances: Floats, results: Results) -> dict[str, float]:
    """Return the mean of each of `SCORES`; the log loss may be infinite."""
    return {name: float(score(chances, results).mean()) for name, score in SCORES.items()}


def standard_error(values: Floats) -> float:
    """Return the standard error of a mean; infinite for one value, NaN where a value is not finite."""
    with np.errstate(invalid="ignore"):
        return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("inf")


def interval(values: Floats) -> Interval:
    """Return the mean with its 95% interval (normal approximation); bounds are infinite for one value."""
    with np.errstate(invalid="ignore"):
        mean = float(values.mean())
    half = Z_95 * standard_error(values)
    return Interval(mean, mean - half, mean + half)


def profits(odds: Floats, results: Results, picks: Results | int) -> Floats:
    """Return the profit of one unit on the picked outcome of each row."""
    chosen = np.broadcast_to(np.asarray(picks), results.shape)
    return np.where(chosen == results, odds[np.arange(len(results)), chosen], 0.0) - 1


def favourites(odds: Floats) -> Results:
    """Return the outcome with the lowest price of each row, ties going to home, then draw."""
    picks: Results = odds.argmin(axis=1)
    return picks


def base_rate(results: Results, rows: int | None = None) -> Floats:
    """Return the share of each outcome in each of `rows` rows (one per result): what any forecast has to beat."""
    shares = np.bincount(results, minlength=len(OUTCOMES)) / len(results)
    return np.tile(shares, (len(results) if rows is None else rows, 1))


def reliability(given: Floats, happened: npt.NDArray[np.bool_]) -> list[Bin]:
    """Return each tenth of the scale that holds any of the probabilities; the last one holds 1 too."""
    places = np.minimum((given * BINS).astype(np.int64), BINS - 1)
    found = []
    for place in np.unique(places).tolist():
        inside = places == place
        predicted, observed = float(given[inside].mean()), float(happened[inside].mean())
        found.append(Bin(place / BINS, (place + 1) / BINS, int(inside.sum()), predicted, observed))
    return found


def calibration_bins(chances: Floats, results: Results) -> list[CalibrationBin]:
    """Return the `reliability` of the probabilities of each outcome."""
    return [
        CalibrationBin(outcome=outcome, **each._asdict())
        for number, outcome in enumerate(OUTCOMES)
        for each in reliability(chances[:, number], results == number)
    ]


def _power(raw: Floats) -> Floats:
    exponent = _root(lambda k: (raw ** k[:, None]).sum(axis=1) - 1, 0.01, 20.0, len(raw))
    return normalised(raw ** exponent[:, None])


def _shin(raw: Floats) -> Floats:
    total = raw.sum(axis=1, keepdims=True)

    def chances(insiders: Floats) -> Floats:
        z = insiders[:, None]
        fair: Floats = (np.sqrt(z**2 + 4 * (1 - z) * raw**2 / total) - z) / (2 * (1 - z))
        return fair

    # Best prices of many bookmakers have a sum below 1; the share of insiders is negative there.
    insiders = _root(lambda z: chances(z).sum(axis=1) - 1, -1.0, 0.999, len(raw))
    return normalised(chances(insiders))


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
    hot: Floats = np.eye(len(OUTCOMES))[results]
    return hot


_METHODS: dict[Margin, Callable[[Floats], Floats]] = {
    "multiplicative": normalised,
    "power": _power,
    "shin": _shin,
}
