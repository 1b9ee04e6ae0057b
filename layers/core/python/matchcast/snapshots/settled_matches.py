"""Score the predictions of matches that have been played since, beside a bookmaker and the base rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from matchcast.domain.scorecard import (
    BaseRate,
    Calibration,
    CalibrationBin,
    Figure,
    Scorecard,
    ScorecardPart,
    Scores,
)
from matchcast.snapshots import scoring

OUTCOMES = ("home", "draw", "away")
EVERYTHING = "all"

_Z = 1.96
"""Standard errors to each side of a mean that hold 95% of a normal distribution."""
_RESULTS = {"H": 0, "D": 1, "A": 2}
_SCORES: dict[str, Callable[[scoring.Floats, scoring.Results], scoring.Floats]] = {
    "log_loss": scoring.log_losses,
    "brier": scoring.brier_scores,
    "rps": scoring.ranked_scores,
    "accuracy": scoring.hits,
}

Mask = npt.NDArray[np.bool_]


def make_scorecard(
    predictions: pd.DataFrame,
    matches: pd.DataFrame,
    odds: pd.DataFrame,
    *,
    bookmaker: str,
    trained_until: date | None,
) -> Scorecard:
    """Return how good the predictions of played matches were; nothing depends on the order of the rows.

    Parameters
    ----------
    predictions
        `match_id`, `home`, `draw`, `away` (probabilities).
    matches
        The columns of `matchcast_tools.dataset.tables.MATCHES`.
    odds
        `match_id`, `home`, `draw`, `away`: the bookmaker's last odds before each kick-off, one row a match.
    bookmaker
        Whose odds they are.
    trained_until
        The last match day that the model has seen. Later matches are scored; those up to that day give the
        base rate, so that it knows nothing of what it is scored on. Without it nothing is scored.
    """
    if trained_until is None:
        return Scorecard.empty(bookmaker)
    played = _played(matches)
    seen = (played["day"] <= trained_until.toordinal()).to_numpy()
    rate = _base_rate(played.loc[seen, "outcome"].to_numpy())
    settled = played[~seen].merge(predictions[["match_id", *OUTCOMES]], on="match_id", validate="one_to_one")
    both = settled.merge(odds[["match_id", *OUTCOMES]], on="match_id", suffixes=("", "_odds"), validate="one_to_one")
    both = both.sort_values("match_id", ignore_index=True)
    rows = _Rows.of(both, rate) if len(both) else None
    return Scorecard(
        bookmaker=bookmaker,
        trained_until=trained_until,
        settled=len(settled),
        rows=len(both),
        base_rate=rate,
        overall=rows.part(EVERYTHING, np.ones(len(both), dtype=bool)) if rows else None,
        regions=rows.parts(both["region"]) if rows else [],
        seasons=rows.parts(both["season"]) if rows else [],
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    """The scored matches: results, probabilities by forecast, and the scores of each match by forecast."""

    days: npt.NDArray[np.int64]
    results: scoring.Results
    chances: dict[str, scoring.Floats]
    scores: dict[str, dict[str, scoring.Floats]]

    @classmethod
    def of(cls, frame: pd.DataFrame, rate: BaseRate | None) -> _Rows:
        results = frame["outcome"].to_numpy(dtype=np.int64)
        prices = frame[[f"{name}_odds" for name in OUTCOMES]].to_numpy(dtype=np.float64)
        chances = {
            "model": frame[list(OUTCOMES)].to_numpy(dtype=np.float64),
            "bookmaker": scoring.probabilities(prices, "multiplicative"),
        }
        if rate is not None:
            chances["base_rate"] = np.tile(np.array([rate.home, rate.draw, rate.away]), (len(frame), 1))
        # A probability of 0 for what came is an infinite loss, which `_figure` tells.
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = {
                forecast: {name: score(given, results) for name, score in _SCORES.items()}
                for forecast, given in chances.items()
            }
            scores["model_minus_bookmaker"] = {
                name: scores["model"][name] - scores["bookmaker"][name] for name in _SCORES
            }
        return cls(frame["day"].to_numpy(dtype=np.int64), results, chances, scores)

    def parts(self, labels: pd.Series[Any]) -> list[ScorecardPart]:
        """Return one part for each label, in the order of the labels."""
        names = labels.to_numpy(dtype=str)
        return [self.part(str(name), names == name) for name in np.unique(names)]

    def part(self, name: str, mask: Mask) -> ScorecardPart:
        """Return the scores of the matches where the mask is true."""
        scores = {
            forecast: Scores(**{score: _figure(values[mask]) for score, values in found.items()})
            for forecast, found in self.scores.items()
        }
        return ScorecardPart(
            name=name,
            rows=int(mask.sum()),
            since=date.fromordinal(int(self.days[mask].min())),
            until=date.fromordinal(int(self.days[mask].max())),
            model=scores["model"],
            bookmaker=scores["bookmaker"],
            base_rate=scores.get("base_rate"),
            model_minus_bookmaker=scores["model_minus_bookmaker"],
            calibration=Calibration(
                model=_bins(self.chances["model"][mask], self.results[mask]),
                bookmaker=_bins(self.chances["bookmaker"][mask], self.results[mask]),
            ),
        )


def _played(matches: pd.DataFrame) -> pd.DataFrame:
    """Return matches with a result on the pitch; what an association awards says nothing about a forecast."""
    outcomes = matches["result"].astype(object).map(_RESULTS)
    played = (matches["status"].astype(str) == "played").to_numpy() & outcomes.notna().to_numpy()
    frame = matches.loc[played, ["match_id"]].reset_index(drop=True)
    return frame.assign(
        region=matches.loc[played, "region"].astype(str).to_numpy(),
        season=matches.loc[played, "season"].astype(str).to_numpy(),
        outcome=outcomes[played].to_numpy(dtype=np.int64),
        day=[day.toordinal() for day in pd.to_datetime(matches.loc[played, "date"])],
    )


def _base_rate(results: scoring.Results) -> BaseRate | None:
    if not len(results):
        return None
    shares = dict(zip(OUTCOMES, scoring.base_rate(results)[0].tolist(), strict=True))
    return BaseRate(rows=len(results), **shares)


def _figure(values: scoring.Floats) -> Figure:
    if not np.isfinite(values).all():
        return Figure(value=None, low=None, high=None)
    mean = float(values.mean())
    if len(values) < 2:
        return Figure(value=mean, low=None, high=None)
    half = _Z * float(values.std(ddof=1)) / float(np.sqrt(len(values)))
    return Figure(value=mean, low=mean - half, high=mean + half)


def _bins(chances: scoring.Floats, results: scoring.Results) -> list[CalibrationBin]:
    return [
        CalibrationBin(
            outcome=OUTCOMES[each.outcome],
            lower=each.lower,
            upper=each.upper,
            rows=each.rows,
            predicted=each.predicted,
            observed=each.observed,
        )
        for each in scoring.calibration_bins(chances, results)
    ]
