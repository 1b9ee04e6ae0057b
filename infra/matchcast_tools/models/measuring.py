"""Measure a candidate on the golden set, and the present model: probabilities, drift, latency and log loss."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from matchcast.domain.prediction import OUTCOMES, ROUNDING
from matchcast.ports import Model
from matchcast.snapshots.scoring import Floats, Results, base_rate, log_losses, normalised, standard_error
from matchcast_tools.models.gates import LOSS_AT_MOST, STANDARD_ERRORS, Gate, GateReport, Limits
from matchcast_tools.models.golden import GoldenSet

if TYPE_CHECKING:
    from matchcast.ports import Rows

_WARM_UP = 3
_CALLS = 200
_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, loaded as the functions load it, and the rows to ask it: float32, shape (n, columns).

    The rows are the golden set in the order of its signature; others may follow, such as its input example.
    """

    model: Model
    rows: Rows


def measure(candidate: Subject, present: Subject | None, golden: GoldenSet, limits: Limits) -> GateReport:
    """Return every gate for a candidate, compared with the present model where there is one.

    Raises
    ------
    ModelFailed
        If a model cannot predict its rows.
    """
    raw = _predict(candidate)
    n, settled = len(golden.values), golden.settled
    gates = list(_shape(raw, limits))
    ours = normalised(raw[:n])
    theirs = None if present is None else normalised(_predict(present)[:n])
    if theirs is not None:
        gates += _drift(ours, theirs, limits)
    latency = median_ms(candidate.model, candidate.rows[:1])
    gates.append(Gate.at_most("latency_ms", latency, limits.latency_ms, "median time of one row, in milliseconds"))
    gates.append(
        Gate(
            "settled",
            settled,
            limits.settled,
            settled >= limits.settled,
            f"settled matches from {golden.since} on, new to the models, at least",
            "Wait for results, train with `--until` or `--hold-out-last-season`, or lower --min-settled.",
        )
    )
    extra: dict[str, float] = {}
    if settled:
        others = None if theirs is None else theirs[:settled]
        gate, extra = _loss(ours[:settled], others, golden.outcomes, limits)
        gates.append(gate)
    return GateReport(tuple(gates), extra)


def median_ms(model: Model, row: Rows, calls: int = _CALLS, seconds: float = _SECONDS) -> float:
    """Return the median time of predicting one row, in milliseconds, over as many calls as the time allows."""
    for _ in range(_WARM_UP):
        model.predict(row)
    times: list[float] = []
    until = time.perf_counter() + seconds
    while len(times) < calls and (len(times) < _WARM_UP or time.perf_counter() < until):
        started = time.perf_counter()
        model.predict(row)
        times.append(time.perf_counter() - started)
    return float(np.median(times)) * 1000


def _predict(subject: Subject) -> Floats:
    """Return probabilities; where a model gives another shape, none of them is a number."""
    raw = np.asarray(subject.model.predict(subject.rows), dtype=np.float64)
    shape = (len(subject.rows), len(OUTCOMES))
    return raw if raw.shape == shape else np.full(shape, np.nan)


def _shape(raw: Floats, limits: Limits) -> Iterator[Gate]:
    finite = np.isfinite(raw).all(axis=1)
    good = raw[finite]
    yield Gate.at_most(
        "not_finite", float((~finite).sum()), 0.0, f"rows of {len(raw)} whose probabilities are not finite"
    )
    if not len(good):
        return
    outside = max(0.0, -float(good.min()), float(good.max()) - 1)
    yield Gate.at_most("outside", outside, ROUNDING, "how far a probability is below 0 or above 1")
    away = float(np.abs(good.sum(axis=1) - 1).max())
    yield Gate.at_most("sum", away, limits.sum, "how far a row's sum is from 1")


def _drift(ours: Floats, theirs: Floats, limits: Limits) -> Iterator[Gate]:
    distances = np.abs(ours - theirs).sum(axis=1) / 2
    what = f"total variation distance to the present model, {len(distances)} rows"
    mean, largest = (float(distances.mean()), float(distances.max())) if len(distances) else (0.0, 0.0)
    yield Gate.at_most("drift", mean, limits.drift, f"mean {what}", "If it is wanted, raise --max-drift.")
    yield Gate.at_most(
        "drift_of_one", largest, limits.drift_of_one, f"largest {what}", "If it is wanted, raise --max-drift-of-one."
    )


def _loss(ours: Floats, theirs: Floats | None, outcomes: Results, limits: Limits) -> tuple[Gate, dict[str, float]]:
    """Return the gate of the log loss: against the present model, or else the base rate of the same rows.

    A present model whose loss is infinite is no measure, so the base rate is; a candidate's stops it.
    """
    losses = log_losses(ours, outcomes)
    mean = float(losses.mean())
    others = None if theirs is None else log_losses(theirs, outcomes)
    if others is None or not np.isfinite(others).all():
        base = float(log_losses(base_rate(outcomes), outcomes).mean())
        figure = mean if math.isfinite(mean) else None
        detail = f"below that of the base rate of the same {len(losses)} rows"
        return Gate("log_loss", figure, base, mean < base, detail), {"base_rate_log_loss": base}
    differences = losses - others
    error = standard_error(differences)
    # One match has none, and an infinite loss is stopped whatever it is.
    error = error if math.isfinite(error) else 0.0
    allowed = limits.loss_difference(error)
    gate = Gate.at_most(
        "log_loss_difference",
        float(differences.mean()),
        allowed,
        f"{mean:.4f} against {others.mean():.4f} of the present model on the same {len(losses)} rows, "
        f"standard error {error:.4f}; the limit is --max-loss {limits.loss:g} and {STANDARD_ERRORS} standard errors, "
        f"{LOSS_AT_MOST:g} at most",
    )
    figures = {"log_loss": mean, "present_log_loss": float(others.mean()), "log_loss_standard_error": error}
    return gate, {name: value for name, value in figures.items() if math.isfinite(value)}
