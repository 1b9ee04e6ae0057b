"""The rows of a snapshot: predictions of the matches that are due, and the odds to show with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from matchcast.domain.prediction import OUTCOMES, ROUNDING, SUM_TOLERANCE
from matchcast.errors import ReleaseRefused
from matchcast.releases.served_models import LoadedModel
from matchcast.snapshots.features import FeatureTable
from matchcast.snapshots.scoring import Floats, normalised

if TYPE_CHECKING:
    from matchcast.ports import Rows


PredictMany = Callable[[LoadedModel, Sequence[str], "Rows"], Floats]
"""Returns the probabilities of float32 rows, each of them a match with an id, as `probabilities` gives them."""


def predict_due(
    matches: pa.Table, features: FeatureTable, model: LoadedModel, *, at_once: int, by_batch: PredictMany
) -> pd.DataFrame:
    """Return the predictions of every match that is due, sorted by id, with the features that explain them.

    Up to `at_once` of them are made here; more of them `by_batch`.
    """
    published = model.published
    due = pc.equal(matches["status"], "fixture")
    if published.trained_until is not None:
        due = pc.or_(due, pc.greater(matches["date"], pa.scalar(published.trained_until)))
    frame: pd.DataFrame = matches.filter(due).sort_by("match_id").to_pandas()
    names = list(published.signature.names)
    if missing := [name for name in names if name not in features.columns]:
        raise ReleaseRefused(
            f"The dataset lacks features that {published.name} version {published.version} needs: "
            f"{', '.join(missing)}. Make them, or publish a model that was trained on this dataset."
        )
    if without_features := [match_id for match_id in frame["match_id"] if match_id not in features.index]:
        raise ReleaseRefused(
            f"{len(without_features)} matches have no features, {without_features[0]} first. Publish a whole dataset."
        )
    places = [features.index[match_id] for match_id in frame["match_id"]]
    rows = features.values[places][:, [features.columns.index(name) for name in names]]
    if not np.isfinite(rows).all():
        raise ReleaseRefused("The features hold values that are not finite. Make them again.")
    if len(rows) <= at_once:
        frame[list(OUTCOMES)] = probabilities(model, rows)
    else:
        frame[list(OUTCOMES)] = by_batch(model, frame["match_id"].to_list(), rows)
    frame["pick"] = np.array(OUTCOMES)[frame[list(OUTCOMES)].to_numpy().argmax(axis=1)] if len(frame) else ""
    frame["confidence"] = frame[list(OUTCOMES)].max(axis=1)
    frame["model_name"] = published.name
    frame["model_version"] = published.version
    frame["model_run_id"] = published.run_id
    frame["as_of"] = pd.to_datetime([features.as_of[place] for place in places], unit="ms", utc=True)
    for position, name in enumerate(names):
        frame[name] = rows[:, position]
    return frame


def probabilities(model: LoadedModel, rows: Rows) -> Floats:
    """Return float64 probabilities that sum to one, for the float32 outputs of the model.

    Raises
    ------
    ReleaseRefused
        If the outputs are no probabilities.
    """
    raw = model.model.predict(rows).astype(np.float64) if len(rows) else np.empty((0, len(OUTCOMES)))
    off = np.abs(raw.sum(axis=1) - 1)
    if not np.isfinite(raw).all() or (raw < -ROUNDING).any() or (off > SUM_TOLERANCE).any():
        raise ReleaseRefused(
            f"{model.published.name} version {model.published.version} gives invalid probabilities. "
            "The snapshot is not published; publish another version."
        )
    return normalised(raw)


def latest_odds(odds: pa.Table, bookmaker: str, matches: pd.DataFrame) -> pd.DataFrame:
    """Return a bookmaker's last odds before the kick-off of matches, one row a match; closing odds come too late.

    Raises
    ------
    ReleaseRefused
        If odds are not above 1.
    """
    quoted: pd.DataFrame = odds.filter(pc.equal(odds["bookmaker"], bookmaker)).to_pandas()
    quoted = quoted.merge(matches[["match_id", "kickoff"]], on="match_id", validate="many_to_one")
    quoted = quoted[quoted["taken_at"] < quoted["kickoff"]].sort_values(["match_id", "taken_at", *OUTCOMES])
    if not (np.isfinite(quoted[list(OUTCOMES)]).all(axis=None) and (quoted[list(OUTCOMES)] > 1).all(axis=None)):
        raise ReleaseRefused(f"The dataset holds odds of {bookmaker} that are at or below 1. Import it again.")
    return quoted.drop_duplicates("match_id", keep="last")
