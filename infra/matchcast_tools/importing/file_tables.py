"""Matches and odds of a file as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from matchcast.snapshots.dataset import MATCHES, STATISTICS, plain
from matchcast_tools.dataset.tables import QUOTES
from matchcast_tools.importing.books import Price
from matchcast_tools.importing.rows import Match, result


@dataclass(frozen=True, slots=True)
class Quoted:
    """Odds of one price: `places` are those of the matches that have it, `odds` is float64 [n, 3]."""

    price: Price
    places: npt.NDArray[np.int64]
    odds: npt.NDArray[np.float64]


def matches_table(matches: Sequence[Match]) -> pa.Table:
    """Return matches as a table with the columns of `MATCHES`."""
    columns: dict[str, list[Any]] = {
        "match_id": [match.match_id for match in matches],
        "division": [match.division.code for match in matches],
        "region": [match.division.region for match in matches],
        "league": [match.division.league for match in matches],
        "season": [match.season for match in matches],
        "date": [match.day for match in matches],
        "kickoff": [match.kickoff for match in matches],
        "home_team": [match.home for match in matches],
        "away_team": [match.away for match in matches],
        "home_goals": [match.goals and match.goals[0] for match in matches],
        "away_goals": [match.goals and match.goals[1] for match in matches],
        "result": [match.goals and result(match.goals) for match in matches],
        "status": [match.status for match in matches],
    }
    for index, name in enumerate(STATISTICS):
        columns[name] = [match.statistics[index] for match in matches]
    # Dictionary columns are built as text: the encoding comes when all files are one table.
    return pa.table({name: pa.array(values, plain(MATCHES.field(name).type)) for name, values in columns.items()})


def quotes_table(matches: Sequence[Match], quotes: Sequence[Quoted]) -> pa.Table:
    """Return accepted odds as a table with the columns of `QUOTES`."""
    ids = np.array([match.match_id for match in matches], dtype=object)
    parts = [
        pa.table(
            [
                pa.array(ids[quoted.places], pa.string()),
                pa.array([quoted.price.bookmaker] * len(quoted.places), pa.string()),
                pa.array([quoted.price.closing] * len(quoted.places), pa.bool_()),
                *(pa.array(quoted.odds[:, outcome]) for outcome in range(3)),
            ],
            schema=QUOTES,
        )
        for quoted in quotes
    ]
    return pa.concat_tables(parts) if parts else QUOTES.empty_table()
