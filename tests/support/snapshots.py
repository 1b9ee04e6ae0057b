"""Snapshots as `refresh_snapshot` publishes them: Parquet files and a manifest, small ones and large ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from matchcast.domain.manifests import SNAPSHOT_MANIFEST_KEY, FileEntry, SnapshotManifest
from matchcast.domain.match_id import make_match_id
from matchcast.domain.prediction import OUTCOMES, ModelRef
from matchcast.domain.scorecard import Scorecard
from matchcast.ports import ObjectStore
from matchcast.snapshots.contract import (
    ODDS_COLUMNS,
    PREDICTION_COLUMNS,
    PREDICTIONS_FILE,
    REGION_ROI_COLUMNS,
    REGION_ROI_FILE,
    SCORECARD_FILE,
    SHOWN_ODDS_FILE,
)
from matchcast.snapshots.parquet import arrow_schema
from matchcast.snapshots.parquet import as_parquet as parquet

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SNAPSHOT_ID = "20260301T000000Z-0a1b2c3d"
MODEL = ModelRef(name="matchcast", version="3", stage="champion", run_id="run-3")
BOOKMAKER = "fonbet"
FEATURES = ("elo_difference", "form")

# region, league, division, kick-off (days after 7 March 2026, hour), home, away, probabilities, odds
MATCHES = (
    ("england", "Premier League", "E0", 0, 15, "Alder", "Birch", (0.5, 0.25, 0.25), (2.1, 3.4, 3.6)),
    ("england", "Premier League", "E0", 0, 15, "Cedar", "Nott'm Forest", (0.2, 0.3, 0.5), (4.4, 3.5, 1.9)),
    ("england", "Championship", "E1", 0, 15, "Dogwood", "Elm", (0.4, 0.3, 0.3), None),
    ("spain", "La Liga", "SP1", 1, 20, 'Real "Oak"', "São Pinho", (0.6, 0.2, 0.2), (1.7, 3.9, 5.0)),
    ("spain", "La Liga", "SP1", 2, 0, "Fresno", "Alder", (0.34, 0.33, 0.33), (2.8, 3.1, 2.7)),
    ("england", "Premier League", "E0", 7, 15, "Birch", "Cedar", (0.45, 0.28, 0.27), (2.2, 3.3, 3.4)),
    ("brazil", "Serie A", "BRA", 8, 23, "ALDER", "Cajú", (1.0, 0.0, 0.0), (1.05, 12.0, 30.0)),
)


def prediction_rows() -> list[dict[str, Any]]:
    """Return the rows of `predictions.parquet`, sorted by match id as the data contract says."""
    rows = []
    for number, (region, league, division, day, hour, home, away, probabilities, _) in enumerate(MATCHES):
        kickoff = datetime(2026, 3, 7, hour, tzinfo=UTC) + timedelta(days=day)
        rows.append(
            {
                "match_id": make_match_id(division, kickoff.date(), home, away),
                "kickoff": kickoff,
                "region": region,
                "league": league,
                "home_team": home,
                "away_team": away,
                **dict(zip(OUTCOMES, probabilities, strict=True)),
                "pick": OUTCOMES[probabilities.index(max(probabilities))],
                "confidence": max(probabilities),
                "model_name": MODEL.name,
                "model_version": MODEL.version,
                "model_run_id": MODEL.run_id,
                "as_of": NOW - timedelta(days=2),
                "elo_difference": 10.1 * number,
                "form": 0.1 * number,
            }
        )
    return sorted(rows, key=lambda row: row["match_id"])


def odds_rows(bookmaker: str = BOOKMAKER) -> list[dict[str, Any]]:
    """Return the rows of `odds.parquet`: one for each match that has odds."""
    rows = []
    for _, _, division, day, hour, home, away, _, odds in MATCHES:
        if odds is not None:
            kickoff = datetime(2026, 3, 7, hour, tzinfo=UTC) + timedelta(days=day)
            prices = dict(zip(OUTCOMES, odds, strict=True))
            match_id = make_match_id(division, kickoff.date(), home, away)
            rows.append({"match_id": match_id, "bookmaker": bookmaker, **prices, "taken_at": NOW - timedelta(hours=1)})
    return sorted(rows, key=lambda row: row["match_id"])


def roi_rows() -> list[dict[str, Any]]:
    """Return the rows of `region_roi.parquet`; one region has no bets."""
    figures = {
        "roi_low": -0.1,
        "roi_high": 0.2,
        "max_drawdown": 4.5,
        "from": date(2025, 8, 16),
        "to": date(2026, 2, 28),
    }
    none = {"roi": None, "roi_low": None, "roi_high": None, "max_drawdown": 0.0, "from": None, "to": None}
    return [
        {"region": "brazil", "bets": 0, "staked": 0.0, "returned": 0.0, **none},
        {"region": "england", "bets": 100, "staked": 100.0, "returned": 91.5, "roi": -0.085, **figures},
        {"region": "spain", "bets": 40, "staked": 40.0, "returned": 42.0, "roi": 0.05, **figures},
        {"region": "all", "bets": 140, "staked": 140.0, "returned": 133.5, "roi": -0.0464, **figures},
    ]


def a_scorecard() -> Scorecard:
    """Return the scorecard of two matches, one of which was thought impossible."""

    def figure(value: float | None) -> dict[str, float | None]:
        return {"value": value, "low": None if value is None else value - 1, "high": None if value is None else value}

    def scores(log_loss: float | None) -> dict[str, Any]:
        return {"log_loss": figure(log_loss), "brier": figure(0.5), "rps": figure(0.2), "accuracy": figure(0.5)}

    bin_ = {"outcome": "home", "from": 0.5, "to": 0.6, "rows": 2, "predicted": 0.55, "observed": 0.5}
    part = {
        "name": "all",
        "rows": 2,
        "from": date(2026, 2, 14),
        "to": date(2026, 2, 21),
        "model": scores(None),
        "bookmaker": scores(0.9),
        "base_rate": scores(1.1),
        "model_minus_bookmaker": scores(None),
        "calibration": {"model": [bin_], "bookmaker": []},
    }
    return Scorecard.model_validate(
        {
            "bookmaker": BOOKMAKER,
            "trained_until": date(2025, 5, 25),
            "settled": 3,
            "rows": 2,
            "base_rate": {"rows": 100, "home": 0.45, "draw": 0.25, "away": 0.3},
            "overall": part,
            "regions": [{**part, "name": "england"}],
            "seasons": [{**part, "name": "2025/26"}],
        }
    )


PREDICTIONS_SCHEMA = arrow_schema(PREDICTION_COLUMNS, FEATURES)
SCHEMAS = {
    PREDICTIONS_FILE: PREDICTIONS_SCHEMA,
    SHOWN_ODDS_FILE: arrow_schema(ODDS_COLUMNS),
    REGION_ROI_FILE: arrow_schema(REGION_ROI_COLUMNS),
}


def snapshot_files(**rows: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """Return the files of a snapshot; `predictions=`, `odds=`, `region_roi=` put other rows in place of the usual."""
    chosen = {"predictions": prediction_rows(), "odds": odds_rows(), "region_roi": roi_rows(), **rows}
    tables = zip(SCHEMAS.items(), (chosen[name] for name in ("predictions", "odds", "region_roi")), strict=True)
    return {
        SCORECARD_FILE: a_scorecard().model_dump_json(by_alias=True).encode(),
        **{name: parquet(pa.Table.from_pylist(list(found), schema)) for (name, schema), found in tables},
    }


def snapshot_manifest(
    files: Mapping[str, bytes],
    *,
    snapshot_id: str = SNAPSHOT_ID,
    created_at: datetime = NOW,
    newest_result: date | None = None,
) -> SnapshotManifest:
    """Return the manifest of some files."""
    return SnapshotManifest(
        snapshot_id=snapshot_id,
        created_at=created_at,
        as_of=created_at - timedelta(days=2),
        newest_result=newest_result,
        prefix=f"snapshots/{snapshot_id}/",
        bookmaker=BOOKMAKER,
        model=MODEL,
        files={name: FileEntry.of(body) for name, body in files.items()},
    )


def put_snapshot(
    objects: ObjectStore,
    files: Mapping[str, bytes] | None = None,
    *,
    snapshot_id: str = SNAPSHOT_ID,
    created_at: datetime = NOW,
    newest_result: date | None = None,
) -> SnapshotManifest:
    """Publish a snapshot: its files, then the manifest."""
    files = snapshot_files() if files is None else files
    manifest = snapshot_manifest(files, snapshot_id=snapshot_id, created_at=created_at, newest_result=newest_result)
    for name, body in files.items():
        objects.put(manifest.prefix + name, body)
    objects.put(SNAPSHOT_MANIFEST_KEY, manifest.body())
    return manifest


def many_rows(count: int) -> dict[str, list[dict[str, Any]]]:
    """Return predictions and odds of `count` matches: 12 regions, 240 teams, eight matches a kick-off."""
    predictions, odds = [], []
    template, quote = prediction_rows()[0], odds_rows()[0]
    for number in range(count):
        kickoff = datetime(2020, 1, 1, 15, tzinfo=UTC) + timedelta(days=number // 8)
        home, away = number % 240, (number * 7 + 1) % 240
        match_id = make_match_id(f"D{number % 40}", kickoff.date(), f"Town {home}", f"City {away}")
        share = (number % 50) / 100
        key = {"match_id": f"{match_id}-{number}", "kickoff": kickoff}
        predictions.append(
            {
                **template,
                **key,
                "region": f"region-{number % 12}",
                "league": f"League {number % 40}",
                "home_team": f"Town {home}",
                "away_team": f"City {away}",
                "home": 0.3 + share,
                "draw": 0.2,
                "away": 0.5 - share,
                "confidence": max(0.3 + share, 0.5 - share),
            }
        )
        odds.append({**quote, "match_id": key["match_id"], "home": 1.5 + share})
    return {"predictions": predictions, "odds": odds}
