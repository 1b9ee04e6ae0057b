"""The betting simulation: what a model would have won at odds that were known before each match."""

from __future__ import annotations

import zlib
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from matchcast.domain.prediction import OUTCOMES
from matchcast.snapshots.contract import REGION_ROI_COLUMNS
from matchcast.snapshots.settled_matches import played_matches

EVERYWHERE = "all"
"""The region of the last row: all regions together."""

_BET_COLUMNS = ["match_id", "region", "kickoff", "day", "outcome", "probability", "odds", "edge", "returned"]
_RESAMPLES = 2000
_RESAMPLES_AT_ONCE = 100
_INTERVAL = (2.5, 97.5)


def bets(
    predictions: pd.DataFrame,
    matches: pd.DataFrame,
    odds: pd.DataFrame,
    *,
    edge_threshold: float,
    trained_until: date | None,
) -> pd.DataFrame:
    """Return the settled bets of one unit each, in the order of time.

    Parameters
    ----------
    predictions
        `match_id`, `home`, `draw`, `away` (probabilities).
    matches
        The columns of `matchcast.snapshots.dataset.MATCHES_SCHEMA`.
    odds
        A bookmaker's latest odds before each kick-off, one row a match (`matchcast.snapshots.due_predictions`):
        closing odds come too late for a bet.
    edge_threshold
        One unit goes on every outcome whose probability x odds - 1 is above it.
    trained_until
        The last match day that the model has seen; only later matches are bet on. Without it the matches
        that the model has not seen are unknown, so there is no bet.

    Returns
    -------
    pandas.DataFrame
        match_id, region, kickoff, day (ordinal), outcome, probability, odds, edge, returned (0, or the odds).
        The order of the rows given plays no part.
    """
    if trained_until is None:
        return pd.DataFrame({name: [] for name in _BET_COLUMNS})
    played = played_matches(matches)
    settled = played.loc[played["day"] > trained_until.toordinal(), ["match_id", "region", "kickoff", "day", "outcome"]]
    both = settled.merge(odds[["match_id", *OUTCOMES]], on="match_id").merge(
        predictions[["match_id", *OUTCOMES]], on="match_id", suffixes=("_odds", "")
    )
    both = both.sort_values(["day", "kickoff", "match_id"], ignore_index=True)
    probability = both[list(OUTCOMES)].to_numpy(dtype=np.float64)
    price = both[[f"{outcome}_odds" for outcome in OUTCOMES]].to_numpy(dtype=np.float64)
    edge = probability * price - 1
    # NaN is never above the threshold.
    taken = np.nonzero(edge > edge_threshold)
    row, outcome = taken
    won = both["outcome"].to_numpy()[row] == outcome
    return (
        both.loc[row, ["match_id", "region", "kickoff", "day"]]
        .assign(
            outcome=np.array(OUTCOMES)[outcome],
            probability=probability[taken],
            odds=price[taken],
            edge=edge[taken],
            returned=np.where(won, price[taken], 0.0),
        )
        .reset_index(drop=True)
    )


def summarise(placed: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return what `bets` came to, one row a region with bets and one for all of them.

    Parameters
    ----------
    placed
        What `bets` returns.
    seed
        Of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        `REGION_ROI_COLUMNS`: `staked`, `returned` and `max_drawdown` in units; `roi` as a fraction of the stakes
        with the bounds of its 95% bootstrap interval (matches are drawn, not bets: two bets on one match
        are one chance); `max_drawdown` is the deepest fall below the best balance so far; `from` and `to`
        are the days of the first and the last bet.
    """
    rows = [_summary(str(region), part, seed) for region, part in placed.groupby("region", observed=True, sort=True)]
    if rows:
        rows.append(_summary(EVERYWHERE, placed, seed))
    return pd.DataFrame(rows, columns=list(REGION_ROI_COLUMNS))


def _summary(region: str, placed: pd.DataFrame, seed: int) -> dict[str, Any]:
    returned = placed["returned"].to_numpy(dtype=np.float64)
    staked = float(len(placed))
    low, high = _interval(placed, region, seed)
    return {
        "region": region,
        "bets": len(placed),
        "staked": staked,
        "returned": float(returned.sum()),
        "roi": float(returned.sum()) / staked - 1,
        "roi_low": low,
        "roi_high": high,
        "max_drawdown": max_drawdown(returned - 1),
        "from": date.fromordinal(int(placed["day"].min())),
        "to": date.fromordinal(int(placed["day"].max())),
    }


def max_drawdown(profits: npt.NDArray[np.float64]) -> float:
    """Return the deepest fall of a balance that starts at zero below the best it had reached.

    Examples
    --------
    >>> max_drawdown(np.array([1.0, -1.0, -1.0, 3.0]))
    2.0
    """
    balance = np.concatenate([[0.0], np.cumsum(profits)])
    return float((np.maximum.accumulate(balance) - balance).max())


def _interval(placed: pd.DataFrame, region: str, seed: int) -> tuple[float, float]:
    """Return the bounds of the 95% percentile bootstrap interval of the ROI (Efron, 1979)."""
    per_match = placed.groupby("match_id", sort=True)["returned"].agg(["sum", "count"])
    returned = per_match["sum"].to_numpy(dtype=np.float64)
    staked = per_match["count"].to_numpy(dtype=np.float64)
    # By the region's name, so that another region more or less changes no interval.
    random = np.random.default_rng([seed, zlib.crc32(region.encode())])
    rois = []
    for _ in range(_RESAMPLES // _RESAMPLES_AT_ONCE):
        drawn = random.integers(0, len(returned), size=(_RESAMPLES_AT_ONCE, len(returned)))
        rois.append(returned[drawn].sum(axis=1) / staked[drawn].sum(axis=1) - 1)
    low, high = np.percentile(np.concatenate(rois), _INTERVAL)
    return float(low), float(high)
