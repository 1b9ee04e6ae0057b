"""A registered model beside a bookmaker and the base rate, on matches that the model has not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from matchcast.snapshots import scoring
from matchcast.snapshots.betting import OUTCOMES, bets, simulate
from matchcast_tools.errors import BadInput
from matchcast_tools.evaluation.bookmaker import Scored, evaluate_book, scores
from matchcast_tools.features.build import compute, features_table, rows_by_region
from matchcast_tools.features.feature_row import FEATURE_COLUMNS
from matchcast_tools.features.ratings import Tuning
from matchcast_tools.importing.merging import Dataset
from matchcast_tools.importing.quotes import OVERROUND, taken_times

_Z = 1.96
"""Standard errors on both sides of a mean that hold 95% of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Forecaster:
    """A model version: `predict` takes float32 rows in the order of `features` and gives float64 [n, 3]."""

    name: str
    version: str
    alias: str
    features: tuple[str, ...]
    trained_until: date | None
    predict: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Unseen matches with odds, what book and model gave them, and the bets of the model."""

    scored: Scored
    book: scoring.Floats
    model: scoring.Floats
    bets: pd.DataFrame
    figures: dict[str, Any]


def compare(
    dataset: Dataset, scored: Scored, model: Forecaster, margin: scoring.Margin, edge_threshold: float
) -> Comparison:
    """Return the figures of a book with those of a model beside them, in all, per season and per division.

    Features come from the dataset itself, each from earlier matches only. Matches up to the last day that the
    model was trained on are left out. Closing odds are scored, but nobody could have bet at them.

    Raises
    ------
    BadInput
        If the model's training has no known end, if no match is later, or if it needs other features.
    """
    unseen = _unseen(scored, model)
    predictions = _predict(dataset, model)
    chances = predictions.loc[unseen.ids, list(OUTCOMES)].to_numpy(dtype=np.float64)
    book = scoring.probabilities(unseen.odds, margin)
    figures = evaluate_book(unseen, margin)
    figures["model"] = {
        "name": model.name,
        "version": model.version,
        "alias": model.alias,
        "trained_until": str(model.trained_until),
        **scores(chances, unseen.results),
    }
    figures["intervals"] = {
        "model": _intervals(chances, unseen.results),
        "book": _intervals(book, unseen.results),
        "model_minus_book": _intervals(chances, unseen.results, beside=book),
    }
    for parts, key, labels in (
        (figures["per_season"], "season", unseen.seasons),
        (figures["per_division"], "division", unseen.divisions),
    ):
        for part in parts:
            mask = labels == part[key]
            part["model"] = scores(chances[mask], unseen.results[mask])
            part["base_rate"] = scores(scoring.base_rate(unseen.results[mask]), unseen.results[mask])
    figures["calibration"] = {
        "model": calibration(chances, unseen.results),
        "book": calibration(book, unseen.results),
    }
    placed, summary = _bet(dataset, scored, predictions.reset_index(), model, edge_threshold)
    figures["bets"] = summary
    return Comparison(unseen, book, chances, placed, figures)


def calibration(chances: scoring.Floats, results: scoring.Results) -> list[dict[str, Any]]:
    """Return, for each outcome and tenth of the scale, the mean probability and the share that came true.

    `low` and `high` bound the share with 95% confidence (Wilson, 1927).
    """
    rows = []
    for each in scoring.calibration_bins(chances, results):
        count, share = each.rows, each.observed
        centre = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
        half = _Z / (1 + _Z**2 / count) * np.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
        rows.append(
            {
                "outcome": OUTCOMES[each.outcome],
                "from": each.lower,
                "to": each.upper,
                "rows": count,
                "predicted": round(each.predicted, 6),
                "observed": round(share, 6),
                "low": round(max(0.0, float(centre - half)), 6),
                "high": round(min(1.0, float(centre + half)), 6),
            }
        )
    return rows


def _unseen(scored: Scored, model: Forecaster) -> Scored:
    until = model.trained_until
    if until is None:
        raise BadInput(
            f"Nobody knows which matches {model.name} version {model.version} has seen. Train it with "
            "`matchcast train`, or set the tag `trained_until` of the version in MLflow."
        )
    later = np.array([day > until for day in scored.days], dtype=bool)
    if not later.any():
        raise BadInput(
            f"{model.name} version {model.version} was trained until {until}, and no match with odds is later. "
            "Train it on fewer seasons (`matchcast train --until DAY`) or give later match files."
        )
    return scored.pick(later)


def _predict(dataset: Dataset, model: Forecaster) -> pd.DataFrame:
    """Return the model's probabilities of every match of the dataset, by id."""
    missing = [name for name in model.features if name not in FEATURE_COLUMNS]
    if missing:
        raise BadInput(
            f"{model.name} version {model.version} needs features that are not computed from match files: "
            f"{', '.join(missing)}."
        )
    parts = [compute(rows, Tuning()) for rows in rows_by_region(dataset.matches).values()]
    table = features_table(parts)
    chances = model.predict(np.column_stack([table[name].to_numpy() for name in model.features]))
    chances = chances / chances.sum(axis=1, keepdims=True)
    ids = pd.Index(table["match_id"].to_pylist(), name="match_id")
    return pd.DataFrame(chances, index=ids, columns=list(OUTCOMES))


def _bet(
    dataset: Dataset, scored: Scored, predictions: pd.DataFrame, model: Forecaster, edge_threshold: float
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Return the model's bets at the book's odds before the match, and their sums by region."""
    quotes = dataset.quotes
    overround = sum(1 / quotes[name].to_numpy() for name in OUTCOMES)
    right = pa.array((overround >= OVERROUND[0]) & (overround <= OVERROUND[1]))
    quotes = quotes.filter(pc.and_(right, pc.equal(quotes["bookmaker"], scored.price.bookmaker)))
    odds = quotes.append_column("taken_at", taken_times(dataset.matches, quotes))
    if scored.price.closing:
        # The price that was asked for comes too late, and nobody asked for another one.
        odds = odds.filter(pa.array([False] * len(odds), pa.bool_()))
    frames = (predictions, dataset.matches.to_pandas(), odds.to_pandas())
    until = model.trained_until
    bookmaker = scored.price.bookmaker
    placed = bets(*frames, bookmaker=bookmaker, edge_threshold=edge_threshold, trained_until=until)
    sums = simulate(*frames, bookmaker=bookmaker, edge_threshold=edge_threshold, trained_until=until)
    rows = sums.assign(**{name: sums[name].astype(str) for name in ("from", "to")}).to_dict("records")
    return placed, [{str(name): value for name, value in row.items()} for row in rows]


def _intervals(
    chances: scoring.Floats, results: scoring.Results, beside: scoring.Floats | None = None
) -> dict[str, list[float]]:
    """Return mean, lower and upper bound (95%) of each score, or of its difference to another forecast."""
    found = {}
    for name, score in (
        ("log_loss", scoring.log_losses),
        ("brier", scoring.brier_scores),
        ("rps", scoring.ranked_scores),
    ):
        values = score(chances, results)
        if beside is not None:
            values = values - score(beside, results)
        mean = float(values.mean())
        half = _Z * float(values.std(ddof=1)) / np.sqrt(len(values)) if len(values) > 1 else float("inf")
        found[name] = [round(mean, 6), round(mean - half, 6), round(mean + half, 6)]
    return found
