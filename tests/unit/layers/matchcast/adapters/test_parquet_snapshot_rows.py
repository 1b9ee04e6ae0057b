"""The lists of a snapshot, and each match of it, show the columns and the figures that were published."""

from __future__ import annotations

import json
from datetime import date

import pytest

from matchcast.snapshots.tables import Filters, RowsPage, SnapshotTables
from tests.support.snapshot_tables import ALL, ids, in_order, items, loaded
from tests.support.snapshots import (
    BOOKMAKER,
    MODEL,
    PREDICTIONS_SCHEMA,
    SNAPSHOT_ID,
    odds_rows,
    prediction_rows,
    roi_rows,
)


def test_predictions_show_their_display_columns_in_the_order_of_kickoff_and_id(snapshot: SnapshotTables) -> None:
    page = snapshot.predictions.page(ALL, None, 100)
    names = [name for name in PREDICTIONS_SCHEMA.names if not name.startswith(("model_", "as_of", "elo", "form"))]
    expected = [
        {**{name: row[name] for name in names}, "kickoff": f"{row['kickoff']:%Y-%m-%dT%H:%M:%SZ}"}
        for row in in_order(prediction_rows())
    ]
    assert items(page) == expected
    assert (page.total, page.last) == (7, None)


def test_one_match_shows_all_columns(snapshot: SnapshotTables) -> None:
    # GIVEN a published row
    row = prediction_rows()[3]

    # WHEN its match is looked up
    found = snapshot.match(row["match_id"])
    assert found is not None
    match = json.loads(found)

    # THEN
    assert match["model"] == MODEL.model_dump()
    assert match["snapshot_id"] == SNAPSHOT_ID
    assert match["as_of"] == "2026-02-27T12:00:00Z"
    assert match["features"] == {"elo_difference": pytest.approx(row["elo_difference"]), "form": row["form"]}
    assert match["home_team"] == row["home_team"]
    assert set(row) - set(match) == {"model_name", "model_version", "model_run_id", "elo_difference", "form"}


def test_an_unknown_match_is_none(snapshot: SnapshotTables) -> None:
    assert snapshot.match("e0-2026-03-07-alder-unknown") is None


def test_a_feature_has_as_many_digits_as_a_float32() -> None:
    rows = [{**prediction_rows()[0], "form": 0.1}]
    match = loaded(predictions=rows).match(rows[0]["match_id"])
    assert match is not None
    assert b'"form":0.1}' in match


def test_a_card_shows_the_bookmakers_odds_with_the_prediction(snapshot: SnapshotTables) -> None:
    # WHEN the card of a match is read
    [card] = items(snapshot.cards.page(Filters(team="birch", date_to=date(2026, 3, 7)), None, 10))

    # THEN every figure follows from the odds and the prediction
    home, draw, away = 2.1, 3.4, 3.6
    overround = 1 / home + 1 / draw + 1 / away
    assert (card["home_odds"], card["draw_odds"], card["away_odds"]) == (home, draw, away)
    assert (card["bookmaker"], card["taken_at"]) == (BOOKMAKER, "2026-03-01T11:00:00Z")
    assert card["overround"] == pytest.approx(overround, abs=1e-15)
    assert card["home_implied"] == pytest.approx(1 / home, abs=1e-15)
    assert card["draw_margin_free"] == pytest.approx(1 / draw / overround, abs=1e-15)
    assert sum(card[f"{side}_margin_free"] for side in ("home", "draw", "away")) == pytest.approx(1, abs=1e-12)
    assert (card["home_fair_odds"], card["away_fair_odds"]) == (2.0, 4.0)
    assert card["home_edge"] == pytest.approx(0.5 * home - 1, abs=1e-15)
    assert card["away_edge"] == pytest.approx(0.25 * away - 1, abs=1e-15)


def test_only_matches_with_odds_have_cards(snapshot: SnapshotTables) -> None:
    quoted = {row["match_id"] for row in odds_rows()}
    page = snapshot.cards.page(ALL, None, 100)
    assert ids(items(page)) == [row["match_id"] for row in in_order(prediction_rows()) if row["match_id"] in quoted]
    assert page.total == len(quoted) == 6


def test_an_impossible_outcome_has_no_fair_odds(snapshot: SnapshotTables) -> None:
    [card] = items(snapshot.cards.page(Filters(region="brazil"), None, 10))
    assert (card["home"], card["home_fair_odds"]) == (1.0, 1.0)
    assert (card["draw"], card["draw_fair_odds"], card["draw_edge"]) == (0.0, None, -1.0)


def test_odds_show_only_the_bookmakers_prices(snapshot: SnapshotTables) -> None:
    first = items(snapshot.odds.page(ALL, None, 1))[0]
    assert list(first) == ["match_id", "kickoff", "bookmaker", "taken_at", "home_odds", "draw_odds", "away_odds"]


def test_a_bookmaker_without_odds_has_empty_lists() -> None:
    snapshot = loaded(bookmaker="unknown")
    for listing in (snapshot.cards, snapshot.odds):
        assert listing.page(ALL, None, 100) == RowsPage(b"", 0, None)
    assert snapshot.predictions.page(ALL, None, 100).total == 7


def test_odds_of_another_bookmaker_or_of_an_unknown_match_are_left_out() -> None:
    mine, other = odds_rows()[0], odds_rows("elsewhere")[1]
    unknown = {**odds_rows()[2], "match_id": "e0-2026-03-07-no-body"}
    assert ids(items(loaded(odds=[mine, other, unknown]).odds.page(ALL, None, 10))) == [mine["match_id"]]


def test_empty_tables_give_empty_lists() -> None:
    snapshot = loaded(predictions=[], odds=[], region_roi=[])
    assert snapshot.predictions.page(ALL, None, 10) == RowsPage(b"", 0, None)
    assert snapshot.cards.page(Filters(region="england"), (0, ""), 10) == RowsPage(b"", 0, None)
    assert snapshot.region_roi.page(None) == RowsPage(b"", 0, None)


def test_region_roi_shows_its_rows_in_the_order_of_the_file(snapshot: SnapshotTables) -> None:
    found = items(snapshot.region_roi.page(None))
    assert [row["region"] for row in found] == ["brazil", "england", "spain", "all"]
    assert found[0] == {**roi_rows()[0]}
    assert (found[1]["from"], found[1]["to"], found[1]["bets"]) == ("2025-08-16", "2026-02-28", 100)


@pytest.mark.parametrize(("region", "count"), [("SPAIN", 1), ("spa", 0), ("", 0)])
def test_region_roi_of_one_region(snapshot: SnapshotTables, region: str, count: int) -> None:
    page = snapshot.region_roi.page(region)
    assert (page.total, len(items(page))) == (count, count)
