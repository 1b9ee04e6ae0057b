from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchcast.snapshots.betting import bets, max_drawdown, summarise
from matchcast.snapshots.contract import REGION_ROI_COLUMNS
from matchcast.snapshots.due_predictions import latest_odds

KICKOFF = datetime(2024, 8, 17, 14, tzinfo=UTC)


class Book:
    """Matches with predictions and odds, one call each."""

    def __init__(self) -> None:
        self.matches: list[dict[str, Any]] = []
        self.predictions: list[dict[str, Any]] = []
        self.odds: list[dict[str, Any]] = []

    def match(
        self,
        result: str | None = "H",
        *,
        region: str = "England",
        days: int = 0,
        status: str = "played",
        chances: tuple[float, float, float] = (0.6, 0.2, 0.2),
        odds: tuple[float, float, float] = (2.0, 3.0, 3.0),
        hours_before: float = 24,
        bookmaker: str = "fonbet",
    ) -> str:
        match_id = f"m{len(self.matches):04d}"
        kickoff = KICKOFF + timedelta(days=days)
        self.matches.append({
            "match_id": match_id, "region": region, "date": kickoff.date(), "kickoff": kickoff, "status": status,
            "result": result,
        })  # fmt: skip
        self.predictions.append({"match_id": match_id, **dict(zip(("home", "draw", "away"), chances, strict=True))})
        self.quote(match_id, odds, hours_before, bookmaker)
        return match_id

    def quote(
        self, match_id: str, odds: tuple[float, float, float], hours_before: float, bookmaker: str = "fonbet"
    ) -> None:
        kickoff = next(match["kickoff"] for match in self.matches if match["match_id"] == match_id)
        taken = kickoff - timedelta(hours=hours_before)
        self.odds.append({
            "match_id": match_id, "bookmaker": bookmaker, "taken_at": taken,
            **dict(zip(("home", "draw", "away"), odds, strict=True)),
        })  # fmt: skip

    def frames(self, order: int | None = None) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        frames = tuple(pd.DataFrame(rows) for rows in (self.predictions, self.matches, self.odds))
        if order is not None:
            frames = tuple(frame.sample(frac=1, random_state=order + n) for n, frame in enumerate(frames))
        return frames[0], frames[1], frames[2]

    def simulate(self, order: int | None = None, *, seed: int = 0, **options: Any) -> pd.DataFrame:
        return summarise(self.placed(order, **options), seed)

    def bets(self, **options: Any) -> list[tuple[str, str, float]]:
        frame = self.placed(**options)
        return list(zip(frame["match_id"], frame["outcome"], frame["returned"], strict=True))

    def placed(self, order: int | None = None, **options: Any) -> pd.DataFrame:
        return placed(*self.frames(order), **options)


def placed(predictions: pd.DataFrame, matches: pd.DataFrame, odds: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """Return the bets at the latest odds of a bookmaker."""
    settings = {"edge_threshold": 0.05, "trained_until": date(2024, 1, 1), **options}
    return bets(
        predictions, matches, latest_odds(pa.Table.from_pylist(odds.to_dict("records")), "fonbet", matches), **settings
    )


@pytest.fixture
def book() -> Book:
    return Book()


def test_a_unit_goes_where_the_edge_is_above_the_threshold(book: Book) -> None:
    won = book.match("H", chances=(0.6, 0.2, 0.2))
    book.match("H", chances=(0.5, 0.3, 0.2))
    lost = book.match("H", chances=(0.2, 0.2, 0.6))

    assert book.bets() == [(won, "home", 2.0), (lost, "away", 0.0)]


def test_an_edge_of_exactly_the_threshold_is_no_bet(book: Book) -> None:
    book.match(chances=(0.5, 0.25, 0.25), odds=(2.5, 3.0, 3.0))
    assert book.bets(edge_threshold=0.25) == []
    assert len(book.bets(edge_threshold=0.2499)) == 1


def test_two_outcomes_of_a_match_are_two_bets(book: Book) -> None:
    match = book.match("D", chances=(0.0, 0.5, 0.5))
    assert book.bets() == [(match, "draw", 3.0), (match, "away", 0.0)]


def test_odds_at_or_after_kickoff_come_too_late(book: Book) -> None:
    book.match(hours_before=0)
    book.match(hours_before=-1)
    early = book.match(hours_before=0.01)
    assert [bet[0] for bet in book.bets()] == [early]


def test_the_latest_odds_before_kickoff_count(book: Book) -> None:
    match = book.match(odds=(2.0, 3.0, 3.0), hours_before=48)
    book.quote(match, (1.9, 3.0, 3.0), hours_before=2)
    book.quote(match, (9.0, 3.0, 3.0), hours_before=0)
    assert book.bets() == [(match, "home", 1.9)]


def test_only_matches_after_the_training_are_bet_on(book: Book) -> None:
    book.match(days=0)
    later = book.match(days=1)

    assert [bet[0] for bet in book.bets(trained_until=KICKOFF.date())] == [later]


def test_a_model_of_unknown_training_makes_no_bet(book: Book) -> None:
    book.match()
    assert book.bets(trained_until=None) == []
    assert book.simulate(trained_until=None).empty


@pytest.mark.parametrize("status", ["fixture", "abandoned", "awarded"])
def test_only_played_matches_are_settled(book: Book, status: str) -> None:
    book.match("H" if status == "awarded" else None, status=status)
    assert book.bets() == []


def test_other_bookmakers_play_no_part(book: Book) -> None:
    book.match(bookmaker="bet365")
    assert book.bets() == []
    assert list(book.simulate().columns) == list(REGION_ROI_COLUMNS)


def test_probabilities_that_are_no_numbers_make_no_bet(book: Book) -> None:
    book.match(chances=(np.nan, 0.2, 0.2))
    assert book.bets() == []


def test_each_region_and_all_of_them_are_summed_up(book: Book) -> None:
    # GIVEN three bets in two regions
    book.match("H", region="Spain", days=0)
    book.match("A", region="England", days=7)
    book.match("H", region="England", days=14)

    # WHEN they are settled
    result = book.simulate().set_index("region")

    # THEN
    assert list(result.index) == ["England", "Spain", "all"]
    england = result.loc["England"]
    assert (england["bets"], england["staked"], england["returned"], england["roi"]) == (2, 2.0, 2.0, 0.0)
    assert (england["max_drawdown"], england["from"], england["to"]) == (1.0, date(2024, 8, 24), date(2024, 8, 31))
    every = result.loc["all"]
    assert (every["bets"], every["roi"]) == (3, pytest.approx(1 / 3))
    assert england["roi_low"] == -1.0
    assert england["roi_high"] == 1.0


def test_the_interval_holds_the_return_and_narrows_with_the_bets() -> None:
    # GIVEN few and many bets with random results
    few, many, dice = Book(), Book(), random.Random(1)
    for book, count in ((few, 30), (many, 3000)):
        for _ in range(count):
            book.match(dice.choice("HDA"))

    # WHEN they are settled
    narrow, wide = many.simulate().iloc[-1], few.simulate().iloc[-1]

    # THEN
    for row in (narrow, wide):
        assert row["roi_low"] < row["roi"] < row["roi_high"]
    assert narrow["roi_high"] - narrow["roi_low"] < (wide["roi_high"] - wide["roi_low"]) / 5
    # The normal approximation: mean of zero or two units, won in a third of cases.
    error = 1.96 * 2 * np.sqrt((1 / 3) * (2 / 3) / 3000)
    assert narrow["roi_high"] - narrow["roi"] == pytest.approx(error, rel=0.1)


def test_the_same_seed_gives_the_same_interval_and_another_region_changes_none(book: Book) -> None:
    dice = random.Random(2)
    for _ in range(50):
        book.match(dice.choice("HDA"), odds=(dice.uniform(1.8, 3), 3.0, 3.0))
    before = book.simulate()
    book.match("H", region="Spain")

    assert book.simulate().iloc[0].equals(before.iloc[0])
    assert not book.simulate(seed=1).iloc[0].equals(before.iloc[0])


def test_regions_do_not_share_their_draws(book: Book) -> None:
    # GIVEN the same bets, in the same order of their ids, in two regions
    for region in ("England", "Spain"):
        dice = random.Random(4)
        for _ in range(50):
            book.match(dice.choice("HDA"), region=region, odds=(dice.uniform(1.8, 3), 3.0, 3.0))

    # WHEN they are settled
    result = book.simulate().set_index("region")

    # THEN the return is the same, and chance was asked twice
    england, spain = result.loc["England"], result.loc["Spain"]
    assert england["roi"] == spain["roi"]
    assert (england["roi_low"], england["roi_high"]) != (spain["roi_low"], spain["roi_high"])


def test_the_order_of_rows_plays_no_part(book: Book) -> None:
    dice = random.Random(3)
    for number in range(200):
        chances = (dice.random(), dice.random(), dice.random())
        match = book.match(dice.choice("HDA"), region=dice.choice(["A", "B"]), days=number // 5, chances=chances)
        book.quote(match, (dice.uniform(1.1, 4), 3.3, 3.3), hours_before=dice.uniform(1, 50))
    expected = book.simulate()
    for order in range(3):
        pd.testing.assert_frame_equal(book.simulate(order), expected)


@given(st.lists(st.floats(-5, 5)))
def test_the_drawdown_is_the_deepest_fall_between_any_two_moments(profits: list[float]) -> None:
    balance = [0.0]
    for profit in profits:
        balance.append(balance[-1] + profit)
    deepest = max(before - after for at, before in enumerate(balance) for after in balance[at:])
    assert max_drawdown(np.array(profits)) == pytest.approx(deepest, abs=1e-9)


def test_categories_and_timestamps_of_stored_matches_are_understood(book: Book) -> None:
    # GIVEN matches with the types of a stored table
    book.match("H")
    book.match("A", days=3)
    predictions, matches, odds = book.frames()
    categories = {name: matches[name].astype("category") for name in ("region", "status", "result")}
    matches = matches.assign(**categories, date=pd.to_datetime(matches["date"]))

    # WHEN they are settled
    # THEN
    pd.testing.assert_frame_equal(summarise(placed(predictions, matches, odds)), book.simulate())
