"""Score the predictions of matches that have been played since, a bookmaker and the base rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from matchcast.domain.prediction import OUTCOMES, RESULTS
from matchcast.domain.scorecard import BaseRate, Calibration, Figure, Scorecard, ScorecardPart, Scores
from matchcast.snapshots import scoring

EVERYTHING = "all"

Mask = npt.NDArray[np.bool_]


def played_matches(matches: pd.DataFrame) -> pd.DataFrame:
    """Return the matches with a result on the pitch, with `outcome` (0, 1, 2) and `day` (ordinal).

    What an association awards says nothing about a forecast, and bookmakers void bets on it.
    """
    kept = (matches["status"].astype(str) == "played") & matches["result"].isin(RESULTS)
    frame = matches.loc[kept].reset_index(drop=True)
    days = [day.toordinal() for day in pd.to_datetime(frame["date"])]
    return frame.assign(
        region=frame["region"].astype(str),
        outcome=scoring.as_numbers(frame["result"]),
        day=np.array(days, dtype=np.int64),
    )


def newest_result(matches: pd.DataFrame, now: datetime) -> date | None:
    """Return the last day up to now on which a match was played, or None where none was."""
    days = [day for day in played_matches(matches)["day"] if day <= now.date().toordinal()]
    return date.fromordinal(max(days)) if days else None


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
        The columns of `matchcast.snapshots.dataset.MATCHES_SCHEMA`.
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
    played = played_matches(matches)
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
            chances["base_rate"] = np.tile([rate.home, rate.draw, rate.away], (len(frame), 1))
        scores = {
            forecast: {name: score(given, results) for name, score in scoring.SCORES.items()}
            for forecast, given in chances.items()
        }
        model, bookmaker = scores["model"], scores["bookmaker"]
        # Two infinite losses have no difference.
        with np.errstate(invalid="ignore"):
            scores["model_minus_bookmaker"] = {name: model[name] - bookmaker[name] for name in scoring.SCORES}
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
                model=scoring.calibration_bins(self.chances["model"][mask], self.results[mask]),
                bookmaker=scoring.calibration_bins(self.chances["bookmaker"][mask], self.results[mask]),
            ),
        )


def _base_rate(results: scoring.Results) -> BaseRate | None:
    if not len(results):
        return None
    shares = dict(zip(OUTCOMES, scoring.base_rate(results, 1)[0].tolist(), strict=True))
    return BaseRate(rows=len(results), **shares)


def _figure(values: scoring.Floats) -> Figure:
    """Return the mean with its interval; null where an infinite loss or a single match leaves none."""
    found = scoring.interval(values)._asdict()
    return Figure(**{name: figure if math.isfinite(figure) else None for name, figure in found.items()})
