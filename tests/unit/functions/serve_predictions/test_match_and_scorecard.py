"""One match and the scorecard are answered as the snapshot has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from functions.serve_predictions.schemas import SnapshotScorecard
from tests.support.http_events import Answer
from tests.support.served_paths import MATCH, problem
from tests.support.serving import Service
from tests.support.snapshots import MODEL, SNAPSHOT_ID, put_snapshot, snapshot_files

Get = Callable[..., Answer]


@pytest.mark.parametrize("path", [f"/predict/precomputed/{MATCH}", f"/predict/precomputed/{quote(MATCH, safe='')}/"])
def test_one_match_shows_all_columns(service: Service, get: Get, path: str) -> None:
    match = get(path).json
    assert (match["match_id"], match["home"], match["pick"]) == (MATCH, 0.5, "home")
    assert match["model"]["run_id"] == "run-3"
    assert set(match["features"]) == {"elo_difference", "form"}


def test_a_percent_encoded_id_is_the_same_match(service: Service, get: Get) -> None:
    assert get(f"/predict/precomputed/{MATCH.replace('-', '%2D')}").json["match_id"] == MATCH


@pytest.mark.parametrize(
    "match_id",
    ["e0-2026-03-07-no-body", "predictions", "%00", "a%2Fb", "⚽", "%FF", MATCH.upper(), "x" * 500, "'", "{}"],
)
def test_an_unknown_match_is_not_found(service: Service, get: Get, match_id: str) -> None:
    problem(get(f"/predict/precomputed/{match_id}"), 404, "match-not-found")


def test_the_scorecard_is_that_of_the_snapshot_and_says_of_which(service: Service, get: Get) -> None:
    # WHEN
    card = get("/predict/model/scorecard").json
    # THEN
    about = {name: card.pop(name) for name in ("snapshot_id", "as_of", "stale", "model")}
    assert about == {
        "snapshot_id": SNAPSHOT_ID,
        "as_of": "2026-02-27T12:00:00Z",
        "stale": False,
        "model": MODEL.model_dump(),
    }
    assert card == json.loads(snapshot_files()["scorecard.json"])
    assert card["overall"]["model"]["log_loss"] == {"value": None, "low": None, "high": None}


def test_a_snapshot_without_a_scorecard_answers_with_an_empty_one(service: Service, get: Get) -> None:
    files = {name: body for name, body in snapshot_files().items() if name != "scorecard.json"}
    put_snapshot(service.objects, files)
    card = get("/predict/model/scorecard").json
    assert (card["rows"], card["overall"], card["regions"], card["trained_until"]) == (0, None, [], None)
    SnapshotScorecard.model_validate(card, extra="forbid")
