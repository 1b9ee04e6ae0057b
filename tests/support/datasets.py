"""Small datasets in the local format: results that depend on one feature, fixtures to come, two bookmakers."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from matchcast.domain.match_id import make_match_id
from matchcast.domain.prediction import OUTCOMES
from matchcast.snapshots.dataset import FEATURES_FILE, MATCHES_FILE, MATCHES_SCHEMA, MOMENT, ODDS_FILE, ODDS_SCHEMA
from matchcast_tools.dataset.store import write_table

FEATURES = ("elo_difference", "form_difference", "rest_days")
FIRST_DAY = date(2022, 8, 6)
SEASONS = 3
LAST_SEASON_STARTS = date(2024, 8, 6)
REGIONS = {"E0": ("England", "Premier League"), "SP1": ("Spain", "La Liga")}


def write_dataset(folder: Path, *, played: int = 600, fixtures: int = 30, seed: int = 0) -> Path:
    """Write matches, odds and features: `played` matches over three seasons, then fixtures; return the folder."""
    count = played + fixtures
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, len(FEATURES))).astype(np.float32)
    powers = np.exp(np.column_stack([0.8 * rows[:, 0] + 0.4, np.zeros(count), -0.8 * rows[:, 0]]))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    results = ["HDA"[random.choice(3, p=row)] for row in probabilities]
    matches, odds, features = [], [], []
    for number in range(count):
        match = _match(number, played, results[number])
        matches.append(match)
        features.append(
            {
                "match_id": match["match_id"],
                **dict(zip(FEATURES, rows[number].tolist(), strict=True)),
                "as_of": match["kickoff"] - timedelta(days=3),
            }
        )
        odds.extend(_odds(match, probabilities[number]))
    write_table(folder / ODDS_FILE, pa.Table.from_pylist(odds, ODDS_SCHEMA).sort_by("match_id"))
    write_table(folder / MATCHES_FILE, pa.Table.from_pylist(matches, MATCHES_SCHEMA).sort_by("match_id"))
    write_table(folder / FEATURES_FILE, pa.Table.from_pylist(features, features_schema()).sort_by("match_id"))
    return folder


def features_schema() -> pa.Schema:
    """Return the columns of the features."""
    return pa.schema([("match_id", pa.string()), *((name, pa.float32()) for name in FEATURES), ("as_of", MOMENT)])


def _match(number: int, played: int, result: str) -> dict[str, Any]:
    """Return one match: two a day, spread evenly over the seasons; fixtures follow on the last."""
    day = FIRST_DAY + timedelta(days=number // 2 * 365 * SEASONS // (played // 2))
    division = ("E0", "SP1")[number % 2]
    region, league = REGIONS[division]
    home, away = f"Home {number % 20}", f"Away {number % 18}"
    season = 2022 + (day - FIRST_DAY).days // 365
    is_played = number < played
    goals = {"H": (2, 1), "D": (1, 1), "A": (0, 1)}[result]
    return {
        "match_id": make_match_id(division, day, home, away),
        "division": division,
        "region": region,
        "league": league,
        "season": f"{season}/{season % 100 + 1}",
        "date": day,
        "kickoff": datetime.combine(day, time(15), UTC),
        "home_team": home,
        "away_team": away,
        "home_goals": goals[0] if is_played else None,
        "away_goals": goals[1] if is_played else None,
        "result": result if is_played else None,
        "status": "played" if is_played else "fixture",
    }


def _odds(match: dict[str, Any], probabilities: Any) -> list[dict[str, Any]]:
    """Return odds of two books, one of them quoted twice and at kick-off; every seventh match has none."""
    if int(match["match_id"].rpartition("-")[2]) % 7 == 0:
        return []
    quotes = (("fonbet", 1.05, 48), ("fonbet", 1.04, 24), ("fonbet", 1.02, 0), ("bet365", 1.06, 24))
    return [
        {
            "match_id": match["match_id"],
            "bookmaker": bookmaker,
            **{name: max(1.01, round(1 / (p * margin), 2)) for name, p in zip(OUTCOMES, probabilities, strict=True)},
            "taken_at": match["kickoff"] - timedelta(hours=hours),
        }
        for bookmaker, margin, hours in quotes
    ]
