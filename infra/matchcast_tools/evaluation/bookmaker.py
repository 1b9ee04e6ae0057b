"""Score a bookmaker, and a model beside it, on the matches of files: in all, per season, per division."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from matchcast.snapshots import scoring
from matchcast_tools.errors import BadInput
from matchcast_tools.importing.books import Price
from matchcast_tools.importing.match_file import parse_match_file
from matchcast_tools.importing.merging import Dataset, merge
from matchcast_tools.importing.report import FileReport
from matchcast_tools.importing.sources import find_sources

ANY_OVERROUND = (0.0, float("inf"))
"""A book is scored on all that it offered, typing errors included; only the dataset leaves those out."""

_RESULTS = {"H": 0, "D": 1, "A": 2}
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Scored:
    """Matches with a result and odds of one price, by id: `odds` float64 [n, 3], `results` 0, 1, 2."""

    price: Price
    ids: list[str]
    divisions: npt.NDArray[np.str_]
    seasons: npt.NDArray[np.str_]
    days: list[Any]
    odds: scoring.Floats
    results: scoring.Results

    def __len__(self) -> int:
        return len(self.ids)

    def pick(self, mask: npt.NDArray[np.bool_]) -> Scored:
        """Return the matches where the mask is true."""
        places = np.flatnonzero(mask)
        return Scored(
            self.price,
            [self.ids[place] for place in places],
            self.divisions[mask],
            self.seasons[mask],
            [self.days[place] for place in places],
            self.odds[mask],
            self.results[mask],
        )


def read_files(paths: Sequence[str | Path], progress: Progress | None = None) -> tuple[Dataset, list[FileReport]]:
    """Return the matches and all the odds of match files, without touching the local dataset.

    Raises
    ------
    BadInput
        If a file cannot be used: figures over a part of what was asked for would mislead.
    """
    parsed = []
    sources = find_sources(paths)
    for done, source in enumerate(sources):
        if progress is not None:
            progress(done, len(sources), source.name)
        parsed.append(parse_match_file(source.name, source.read(), ANY_OVERROUND))
    dataset, _ = merge(Dataset.empty(), parsed)
    return dataset, [file.report for file in parsed]


def select(dataset: Dataset, price: Price) -> Scored:
    """Return the matches that have a result and this price.

    Raises
    ------
    BadInput
        If there is none; the message lists the prices that there are.
    """
    quotes = dataset.quotes
    own = pc.and_(pc.equal(quotes["bookmaker"], price.bookmaker), pc.equal(quotes["closing"], price.closing))
    scored = dataset.matches.filter(pc.is_valid(dataset.matches["result"]))
    table = quotes.filter(own).join(
        scored.select(["match_id", "division", "season", "date", "result"]), "match_id", join_type="inner"
    )
    table = table.sort_by("match_id")
    if not len(table):
        offered = pa.Table.group_by(quotes, ["bookmaker", "closing"]).aggregate([])
        names = sorted(str(Price(row["bookmaker"], row["closing"])) for row in offered.to_pylist())
        there = f"There are: {', '.join(names)}." if names else "There are no odds at all."
        raise BadInput(f"No match with a result has odds of {price}. {there}")
    return Scored(
        price=price,
        ids=table["match_id"].to_pylist(),
        divisions=np.array(table["division"].to_pylist()),
        seasons=np.array(table["season"].to_pylist()),
        days=table["date"].to_pylist(),
        odds=np.column_stack([table[name].to_numpy() for name in ("home", "draw", "away")]),
        results=np.array([_RESULTS[result] for result in table["result"].to_pylist()], dtype=np.int64),
    )


def figures(scored: Scored, margin: scoring.Margin) -> dict[str, Any]:
    """Return the figures of a bookmaker: scores of its probabilities, and returns at its odds in percent."""
    odds, results = scored.odds, scored.results
    chances = scoring.probabilities(odds, margin)
    returns = {
        "roi_home": scoring.profits(odds, results, 0),
        "roi_draw": scoring.profits(odds, results, 1),
        "roi_away": scoring.profits(odds, results, 2),
        "roi_favourite": scoring.profits(odds, results, scoring.favourites(odds)),
    }
    return {
        "rows": len(scored),
        "overround": _rounded(float((1 / odds).sum(axis=1).mean())),
        **scores(chances, results),
        **{name: _rounded(100 * float(values.mean())) for name, values in returns.items()},
    }


def scores(chances: scoring.Floats, results: scoring.Results) -> dict[str, float]:
    """Return log loss, Brier, RPS and accuracy (percent) of probabilities."""
    return {
        "log_loss": _rounded(float(scoring.log_losses(chances, results).mean())),
        "brier": _rounded(float(scoring.brier_scores(chances, results).mean())),
        "rps": _rounded(float(scoring.ranked_scores(chances, results).mean())),
        "accuracy": _rounded(100 * float(scoring.hits(chances, results).mean())),
    }


def evaluate_book(scored: Scored, margin: scoring.Margin) -> dict[str, Any]:
    """Return the figures of a bookmaker in all, beside the base rate, per season and per division."""
    return {
        "book": str(scored.price),
        "margin": margin,
        **figures(scored, margin),
        "base_rate": scores(scoring.base_rate(scored.results), scored.results),
        "per_season": [{"season": name, **part} for name, part in _parts(scored, scored.seasons, margin)],
        "per_division": [{"division": name, **part} for name, part in _parts(scored, scored.divisions, margin)],
    }


def _parts(scored: Scored, labels: npt.NDArray[np.str_], margin: scoring.Margin) -> list[tuple[str, dict[str, Any]]]:
    return [(str(label), figures(scored.pick(labels == label), margin)) for label in np.unique(labels)]


def _rounded(value: float) -> float:
    return round(value, 6)
