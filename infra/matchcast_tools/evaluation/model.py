"""Compare a registered model with a bookmaker and the base rate, on matches that the model has not seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from matchcast.domain.prediction import OUTCOMES
from matchcast.snapshots import scoring
from matchcast.snapshots.betting import bets, summarise
from matchcast.snapshots.due_predictions import latest_odds
from matchcast_tools.dataset.store import decode
from matchcast_tools.errors import BadInput
from matchcast_tools.evaluation.bookmaker import Scored, evaluate_book, scores
from matchcast_tools.evaluation.history import History
from matchcast_tools.features.build import compute, features_table, rows_by_region
from matchcast_tools.features.feature_row import FEATURE_COLUMNS
from matchcast_tools.features.ratings import Tuning
from matchcast_tools.importing.merging import Dataset
from matchcast_tools.importing.quotes import OVERROUND, taken_times


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
    dataset: Dataset,
    scored: Scored,
    model: Forecaster,
    margin: scoring.Margin,
    edge_threshold: float,
    *,
    history: History | None = None,
) -> Comparison:
    """Return the figures of a book together with those of a model, in all, per season and per division.

    Features come from the history (by default the dataset itself), each from earlier matches only. Matches up to the
    last day that the model was trained on, and awarded results, are left out; the base rate is that of matches up to
    that day. Closing odds are scored, but no bets are placed at them.

    Raises
    ------
    BadInput
        If the model's training has no known end, if no match is later, or if it needs other features.
    """
    history = history or History(dataset.matches)
    unseen = _unseen(scored, model, history)
    predictions = _predict(history.matches, model)
    chances = predictions.loc[list(unseen.ids), list(OUTCOMES)].to_numpy(dtype=np.float64)
    book = scoring.probabilities(unseen.odds, margin)
    earlier = None if model.trained_until is None else history.results_until(model.trained_until)
    figures = {
        **evaluate_book(unseen, margin, chances, earlier),
        "history": {"stored_matches": history.stored, "cold_regions": history.cold_regions(list(unseen.ids))},
        "model": {
            "name": model.name,
            "version": model.version,
            "alias": model.alias,
            "trained_until": str(model.trained_until),
            **scores(chances, unseen.results),
        },
        "intervals": {
            "model": _intervals(chances, unseen.results),
            "book": _intervals(book, unseen.results),
            "model_minus_book": _intervals(chances, unseen.results, minus=book),
        },
        "calibration": {
            "model": calibration(chances, unseen.results),
            "book": calibration(book, unseen.results),
        },
    }
    placed, summary = _bet(dataset, scored, predictions.reset_index(), model, edge_threshold)
    figures["bets"] = summary
    return Comparison(unseen, book, chances, placed, figures)


def calibration(chances: scoring.Floats, results: scoring.Results) -> list[dict[str, Any]]:
    """Return, for each outcome and tenth of the scale, the mean probability and the share that came true.

    `low` and `high` bound the share with 95% confidence (Wilson, 1927).
    """
    rows = []
    z = scoring.Z_95
    for each in scoring.calibration_bins(chances, results):
        count, share = each.rows, each.observed
        centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
        half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
        bounds = {"low": max(0.0, centre - half), "high": min(1.0, centre + half)}
        figures = {"predicted": each.predicted, "observed": share, **bounds}
        rows.append({**each.model_dump(by_alias=True), **{name: round(figure, 6) for name, figure in figures.items()}})
    return rows


def _unseen(scored: Scored, model: Forecaster, history: History) -> Scored:
    until = model.trained_until
    if until is None:
        raise BadInput(
            f"It is not known which matches {model.name} version {model.version} has seen. Train it with "
            "`matchcast train`, or set the tag `trained_until` of the version in MLflow."
        )
    later = (scored.days > until).astype(bool) & history.are_played(scored.ids)
    if not later.any():
        raise BadInput(
            f"{model.name} version {model.version} was trained until {until}, and no match with odds is later. "
            "Train it on fewer seasons (`matchcast train --until DAY`) or give later match files."
        )
    return scored.pick(later)


def _predict(matches: pa.Table, model: Forecaster) -> pd.DataFrame:
    """Return the model's probabilities of every match, by id."""
    missing = [name for name in model.features if name not in FEATURE_COLUMNS]
    if missing:
        raise BadInput(
            f"{model.name} version {model.version} needs features that are not computed from match files: "
            f"{', '.join(missing)}."
        )
    parts = [compute(rows, Tuning()) for rows in rows_by_region(matches).values()]
    table = features_table(parts)
    chances = model.predict(np.column_stack([table[name].to_numpy() for name in model.features]))
    ids = pd.Index(table["match_id"].to_pylist(), name="match_id")
    return pd.DataFrame(scoring.normalised(chances), index=ids, columns=list(OUTCOMES))


def _bet(
    dataset: Dataset, scored: Scored, predictions: pd.DataFrame, model: Forecaster, edge_threshold: float
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Return the model's bets at the book's odds before the match, and their sums by region."""
    quotes = dataset.quotes
    overround = sum(1 / quotes[name].to_numpy() for name in OUTCOMES)
    right = pa.array((overround >= OVERROUND[0]) & (overround <= OVERROUND[1]))
    quotes = quotes.filter(pc.and_(right, pc.equal(quotes["bookmaker"], scored.price.bookmaker)))
    odds = decode(quotes.append_column("taken_at", taken_times(dataset.matches, quotes)))
    if scored.price.closing:
        # The price that was asked for comes too late, and another one was not asked for.
        odds = odds.filter(pa.array([False] * len(odds), pa.bool_()))
    matches = dataset.matches.to_pandas()
    known = latest_odds(odds, scored.price.bookmaker, matches)
    placed = bets(predictions, matches, known, edge_threshold=edge_threshold, trained_until=model.trained_until)
    sums = summarise(placed)
    rows = sums.assign(**{name: sums[name].astype(str) for name in ("from", "to")}).to_dict("records")
    return placed, [{str(name): value for name, value in row.items()} for row in rows]


def _intervals(
    chances: scoring.Floats, results: scoring.Results, minus: scoring.Floats | None = None
) -> dict[str, list[float]]:
    """Return mean, lower and upper bound (95%) of each score, or of its difference to another forecast."""
    found = {}
    for name, score in scoring.LOSSES.items():
        values = score(chances, results)
        if minus is not None:
            values = values - score(minus, results)
        found[name] = [round(figure, 6) for figure in scoring.interval(values)]
    return found
