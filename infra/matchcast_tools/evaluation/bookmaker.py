"""Score a bookmaker on the matches of files: in all, per season, per division."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from matchcast.domain.prediction import OUTCOMES
from matchcast.snapshots import scoring
from matchcast_tools.dataset.store import decode
from matchcast_tools.errors import BadInput
from matchcast_tools.importing.books import Price
from matchcast_tools.importing.match_file import parse_match_file
from matchcast_tools.importing.merging import Dataset, merge
from matchcast_tools.importing.report import FileReport
from matchcast_tools.importing.sources import find_sources
from matchcast_tools.progress import Items

ANY_OVERROUND = (0.0, float("inf"))
"""A book is scored on all that it offered, typing errors included; only the dataset leaves those out."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Matches with a result and odds of one price, by id: `odds` float64 [n, 3], `results` 0, 1, 2."""

    price: Price
    ids: npt.NDArray[np.str_]
    divisions: npt.NDArray[np.str_]
    seasons: npt.NDArray[np.str_]
    days: npt.NDArray[Any]
    odds: scoring.Floats
    results: scoring.Results

    def __len__(self) -> int:
        return len(self.ids)

    def pick(self, mask: npt.NDArray[np.bool_]) -> Scored:
        """Return the matches where the mask is true."""
        return replace(self, **{each.name: getattr(self, each.name)[mask] for each in fields(self)[1:]})


def read_files(paths: Sequence[str | Path], progress: Items = lambda *_: None) -> tuple[Dataset, list[FileReport]]:
    """Return the matches and all the odds of match files, without touching the local dataset.

    Raises
    ------
    BadInput
        If a file cannot be used: figures over a part of what was asked for would mislead.
    """
    parsed = []
    sources = find_sources(paths)
    for done, source in enumerate(sources):
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
    table = decode(quotes.filter(own)).join(
        scored.select(["match_id", "division", "season", "date", "result"]), "match_id", join_type="inner"
    )
    table = table.sort_by("match_id")
    if not len(table):
        kinds = decode(quotes.select(["bookmaker", "closing"]))
        offered = pa.Table.group_by(kinds, ["bookmaker", "closing"]).aggregate([])
        names = sorted(str(Price(row["bookmaker"], row["closing"])) for row in offered.to_pylist())
        there = f"There are: {', '.join(names)}." if names else "There are no odds at all."
        raise BadInput(f"No match with a result has odds of {price}. {there}")
    return Scored(
        price=price,
        ids=np.array(table["match_id"].to_pylist()),
        divisions=np.array(table["division"].to_pylist()),
        seasons=np.array(table["season"].to_pylist()),
        days=np.array(table["date"].to_pylist(), dtype=object),
        odds=np.column_stack([table[name].to_numpy() for name in OUTCOMES]),
        results=scoring.as_numbers(table["result"].to_pylist()),
    )


def figures(scored: Scored, margin: scoring.Margin) -> dict[str, Any]:
    """Return the figures of a bookmaker: scores of its probabilities, and returns at its odds in percent."""
    odds, results = scored.odds, scored.results
    picks: dict[str, scoring.Results | int] = {
        **{f"roi_{name}": number for number, name in enumerate(OUTCOMES)},
        "roi_favourite": scoring.favourites(odds),
    }
    return {
        "rows": len(scored),
        "overround": _rounded((1 / odds).sum(axis=1).mean()),
        **scores(scoring.probabilities(odds, margin), results),
        **{name: _rounded(100 * scoring.profits(odds, results, pick).mean()) for name, pick in picks.items()},
    }


def scores(chances: scoring.Floats, results: scoring.Results) -> dict[str, float]:
    """Return log loss, Brier, RPS and accuracy (percent) of probabilities."""
    found = scoring.mean_scores(chances, results)
    return {name: _rounded(value * 100 if name == "accuracy" else value) for name, value in found.items()}


def evaluate_book(
    scored: Scored,
    margin: scoring.Margin,
    model: scoring.Floats | None = None,
    earlier: scoring.Results | None = None,
) -> dict[str, Any]:
    """Return the figures of a bookmaker in all, with those of the base rate, per season and per division.

    With the probabilities of a model its scores, and those of the base rate, are in every season and division too.
    The base rate is that of `earlier` results, and without them that of the scored matches themselves.
    """
    base = scored.results if earlier is None else earlier
    return {
        "book": str(scored.price),
        "margin": margin,
        **figures(scored, margin),
        "base_rate": scores(scoring.base_rate(base, len(scored)), scored.results),
        "base_rate_of": "the same matches" if earlier is None else "earlier matches",
        "per_season": _parts(scored, "season", scored.seasons, margin=margin, model=model, base=base),
        "per_division": _parts(scored, "division", scored.divisions, margin=margin, model=model, base=base),
    }


def _parts(
    scored: Scored,
    key: str,
    labels: npt.NDArray[np.str_],
    *,
    margin: scoring.Margin,
    model: scoring.Floats | None,
    base: scoring.Results,
) -> list[dict[str, Any]]:
    rows = []
    for label in np.unique(labels):
        part = scored.pick(labels == label)
        row = {key: str(label), **figures(part, margin)}
        if model is not None:
            chances = model[labels == label]
            row |= {
                "model": scores(chances, part.results),
                "base_rate": scores(scoring.base_rate(base, len(part)), part.results),
            }
        rows.append(row)
    return rows


def _rounded(value: float) -> float:
    return round(float(value), 6)
