"""The data contract of a snapshot: its files, and the columns of each, for writers and readers."""

from __future__ import annotations

from typing import Literal

from matchcast.domain.prediction import OUTCOMES

PREDICTIONS_FILE = "predictions.parquet"
SHOWN_ODDS_FILE = "odds.parquet"
REGION_ROI_FILE = "region_roi.parquet"
SCORECARD_FILE = "scorecard.json"
MATCH_FEATURES_FILE = "match_features.parquet"
MATCH_IDS_FILE = "match_ids.txt"

SERVED_FILES = (PREDICTIONS_FILE, SHOWN_ODDS_FILE, REGION_ROI_FILE)
OPTIONAL_FILES = (SCORECARD_FILE,)
"""Files that snapshots did not always have; those without them are served all the same."""

Kind = Literal["text", "repeated", "number", "count", "small", "time", "day"]
"""`repeated` is text in which few values repeat, `number` float64, `count` int64, `small` int16, `time` ms in UTC."""
Columns = dict[str, Kind]

MATCH_TEXTS = ("region", "league", "home_team", "away_team")
DISPLAY_COLUMNS: Columns = {
    "match_id": "text",
    "kickoff": "time",
    **dict.fromkeys(MATCH_TEXTS, "repeated"),
    **dict.fromkeys(OUTCOMES, "number"),
    "pick": "repeated",
    "confidence": "number",
}
"""What lists of predictions show."""
MODEL_COLUMNS = {"name": "model_name", "version": "model_version", "run_id": "model_run_id"}
PREDICTION_COLUMNS: Columns = {**DISPLAY_COLUMNS, **dict.fromkeys(MODEL_COLUMNS.values(), "repeated"), "as_of": "time"}
"""The columns of every prediction; those of the model's features follow, float32."""
ODDS_COLUMNS: Columns = {
    "match_id": "text",
    "bookmaker": "repeated",
    **dict.fromkeys(OUTCOMES, "number"),
    "taken_at": "time",
}
REGION_ROI_COLUMNS: Columns = {
    "region": "text",
    "bets": "count",
    "staked": "number",
    "returned": "number",
    "roi": "number",
    "roi_low": "number",
    "roi_high": "number",
    "max_drawdown": "number",
    "from": "day",
    "to": "day",
}
REGION_ROI_GAPS = ("roi", "roi_low", "roi_high", "from", "to")
"""Columns of the region ROI that may have empty cells: a region without bets has none of these."""
