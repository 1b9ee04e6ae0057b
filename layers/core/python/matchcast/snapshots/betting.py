"""The betting simulation: what a model would have won at odds that were known before each match."""

from __future__ import annotations

import zlib
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

OUTCOMES = ("home", "draw", "away")
ROI_COLUMNS = ["region", "bets", "staked", "returned", "roi", "roi_low", "roi_high", "max_drawdown", "from", "to"]
EVERYWHERE = "all"
"""The region of the last row: all regions together."""

_RESULTS = {"H": "home", "D": "draw", "A": "away"}
_RESAMPLES = 2000
_RESAMPLES_AT_ONCE = 100
_INTERVAL = (2.5, 97.5)


def simulate(
    predictions: pd.DataFrame,
    matches: pd.DataFrame,
    odds: pd.DataFrame,
    *,
    bookmaker: str,
    edge_threshold: float,
    trained_until: date | None,
    seed: int = 0,
) -> pd.DataFrame:
    """Return what the bets of a model came to, one row a region with bets and one for all of them.

    Parameters
    ----------
    predictions
        `match_id`, `home`, `draw`, `away` (probabilities).
    matches, odds
        The columns of `matchcast_tools.dataset.tables.MATCHES` and `ODDS`.
    bookmaker
        Whose odds are taken: the latest before kick-off; closing odds come too late for a bet.
    edge_threshold
        One unit goes on every outcome whose probability x odds - 1 is above it.
    trained_until
        The last match day that the model has seen; only later matches are bet on. Without it nobody
        can say which matches the model has not seen, so there is no bet.
    seed
        Of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        `ROI_COLUMNS`: `staked`, `returned` and `max_drawdown` in units; `roi` as a fraction of the stakes
        with the bounds of its 95% bootstrap interval (matches are drawn, not bets: two bets on one match
        are one chance); `max_drawdown` is the deepest fall below the best balance so far; `from` and `to`
        are the days of the first and the last bet. The order of the rows given plays no part.
    """
    placed = bets(
        predictions, matches, odds, bookmaker=bookmaker, edge_threshold=edge_threshold, trained_until=trained_until
    )
    rows = [_summary(str(region), part, seed) for region, part in placed.groupby("region", observed=True, sort=True)]
    if rows:
        rows.append(_summary(EVERYWHERE, placed, seed))
    return pd.DataFrame(rows, columns=ROI_COLUMNS)


def bets(
    predictions: pd.DataFrame,
    matches: pd.DataFrame,
    odds: pd.DataFrame,
    *,
    bookmaker: str,
    edge_threshold: float,
    trained_until: date | None,
) -> pd.DataFrame:
    """Return the settled bets of one unit each, in the order of time.

    Columns: match_id, region, day (ordinal), outcome, probability, odds, edge, returned (0, or the odds).
    """
    names = ["match_id", "region", "kickoff", "day", "outcome", "probability", "odds", "edge", "returned"]
    if trained_until is None:
        return pd.DataFrame({name: [] for name in names})
    settled = _settled(matches, trained_until)
    known = _known_odds(odds, settled, bookmaker)
    both = settled.merge(known, on="match_id").merge(
        predictions[["match_id", *OUTCOMES]], on="match_id", suffixes=("_odds", "")
    )
    parts = []
    for number, outcome in enumerate(OUTCOMES):
        probability = both[outcome].to_numpy(dtype=np.float64)
        price = both[f"{outcome}_odds"].to_numpy(dtype=np.float64)
        edge = probability * price - 1
        # NaN is never above the threshold.
        taken = edge > edge_threshold
        won = (both["outcome"] == outcome).to_numpy()
        part = both.loc[taken, ["match_id", "region", "kickoff", "day"]].assign(
            number=number,
            outcome=outcome,
            probability=probability[taken],
            odds=price[taken],
            edge=edge[taken],
            returned=np.where(won, price, 0.0)[taken],
        )
        parts.append(part)
    placed = pd.concat(parts, ignore_index=True)
    placed = placed.sort_values(["day", "kickoff", "match_id", "number"], ignore_index=True)
    columns: pd.DataFrame = placed.drop(columns="number")
    return columns


def _settled(matches: pd.DataFrame, trained_until: date) -> pd.DataFrame:
    """Return played matches after a day; bookmakers void bets on what an association awards."""
    days = np.array([day.toordinal() for day in pd.to_datetime(matches["date"])], dtype=np.int64)
    played = (matches["status"].astype(str) == "played").to_numpy() & matches["result"].notna().to_numpy()
    kept = played & (days > trained_until.toordinal())
    frame = matches.loc[kept, ["match_id", "kickoff"]].reset_index(drop=True)
    return frame.assign(
        region=matches.loc[kept, "region"].astype(str).to_numpy(),
        outcome=matches.loc[kept, "result"].astype(str).map(_RESULTS).to_numpy(),
        day=days[kept],
    )


def _known_odds(odds: pd.DataFrame, settled: pd.DataFrame, bookmaker: str) -> pd.DataFrame:
    """Return a bookmaker's latest odds before kick-off, one row a match."""
    own = odds.loc[odds["bookmaker"].astype(str) == bookmaker, ["match_id", *OUTCOMES, "taken_at"]]
    timed = own.merge(settled[["match_id", "kickoff"]], on="match_id")
    early = timed[timed["taken_at"] < timed["kickoff"]]
    latest = early.sort_values(["match_id", "taken_at", *OUTCOMES]).drop_duplicates("match_id", keep="last")
    columns: pd.DataFrame = latest[["match_id", *OUTCOMES]]
    return columns


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
