"""The scorecard against a recomputation that shares no code with it, match by match in plain Python."""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchcast.domain.prediction import OUTCOMES
from matchcast.domain.scorecard import Scorecard, ScorecardPart
from matchcast.snapshots.settled_matches import make_scorecard

UNTIL = date(2024, 6, 30)
CLOSE = 1e-9


class League:
    """Matches of two regions and three seasons, before and after the model's last day, a few of them odd."""

    def __init__(self, seed: int = 0, count: int = 300) -> None:
        self.random = random.Random(seed)
        self.matches: list[dict[str, Any]] = []
        self.predictions: list[dict[str, Any]] = []
        self.odds: list[dict[str, Any]] = []
        for number in range(count):
            self.add(date(2023, 8, 1) + timedelta(days=3 * number), status=self.some_status(number))

    def some_status(self, number: int) -> str:
        return {0: "awarded", 1: "abandoned", 2: "fixture"}.get(number % 23, "played")

    def shares(self) -> list[float]:
        raw = [self.random.uniform(0.05, 1) for _ in OUTCOMES]
        return [share / sum(raw) for share in raw]

    def add(self, day: date, **changes: Any) -> str:
        match_id = f"m{self.random.random():.12f}"
        match = {
            "match_id": match_id,
            "region": self.random.choice(["England", "Spain"]),
            "season": f"{day.year - (day.month < 8)}",
            "date": day,
            "kickoff": datetime(day.year, day.month, day.day, 15, tzinfo=UTC),
            "status": "played",
            "result": self.random.choice("HHDA"),
            **changes,
        }
        if match["status"] in ("fixture", "abandoned"):
            match["result"] = None
        self.matches.append(match)
        if day > UNTIL:
            self.predictions.append({"match_id": match_id, **dict(zip(OUTCOMES, self.shares(), strict=True))})
            if self.random.random() < 0.9:
                prices = [1 / (share * 1.05) for share in self.shares()]
                self.odds.append({"match_id": match_id, **dict(zip(OUTCOMES, prices, strict=True))})
        return match_id

    def card(self, order: int | None = None, trained_until: date | None = UNTIL) -> Scorecard:
        frames = [
            pd.DataFrame(rows, columns=columns)
            for rows, columns in (
                (self.predictions, ["match_id", *OUTCOMES]),
                (self.matches, ["match_id", "region", "season", "date", "kickoff", "status", "result"]),
                (self.odds, ["match_id", *OUTCOMES]),
            )
        ]
        if order is not None:
            frames = [frame.sample(frac=1, random_state=order) for frame in frames]
        return make_scorecard(*frames, bookmaker="fonbet", trained_until=trained_until)

    def scored(self, key: str = "", value: str = "") -> list[tuple[date, int, list[float], list[float]]]:
        """Return day, outcome, the model's and the book's probabilities of each match that is to be scored."""
        predictions, odds = ({row["match_id"]: row for row in rows} for rows in (self.predictions, self.odds))
        found = []
        for match in self.matches:
            name = match["match_id"]
            if match["status"] != "played" or match["date"] <= UNTIL or (key and match[key] != value):
                continue
            if name in predictions and name in odds:
                raw = [1 / odds[name][outcome] for outcome in OUTCOMES]
                model = [predictions[name][outcome] for outcome in OUTCOMES]
                found.append((match["date"], "HDA".index(match["result"]), model, [p / sum(raw) for p in raw]))
        return found

    def shares_before(self) -> list[float]:
        results = [m["result"] for m in self.matches if m["status"] == "played" and m["date"] <= UNTIL]
        return [Counter(results)[letter] / len(results) for letter in "HDA"]


def scores_of(chances: list[float], outcome: int) -> dict[str, float]:
    """Return the scores of one match by their definitions."""
    hit = [1.0 if number == outcome else 0.0 for number in range(3)]
    return {
        "log_loss": -math.log(chances[outcome]),
        "brier": sum((p - y) ** 2 for p, y in zip(chances, hit, strict=True)),
        "rps": sum((sum(chances[:k]) - sum(hit[:k])) ** 2 for k in (1, 2)) / 2,
        "accuracy": 1.0 if chances[outcome] == max(chances) else 0.0,
    }


def check_part(part: ScorecardPart, rows: list[tuple[date, int, list[float], list[float]]], base: list[float]) -> None:
    assert part.rows == len(rows)
    assert (part.since, part.until) == (min(row[0] for row in rows), max(row[0] for row in rows))
    per_match = {
        "model": [scores_of(model, outcome) for _, outcome, model, _ in rows],
        "bookmaker": [scores_of(book, outcome) for _, outcome, _, book in rows],
        "base_rate": [scores_of(base, outcome) for _, outcome, _, _ in rows],
    }
    per_match["model_minus_bookmaker"] = [
        {name: one[name] - other[name] for name in one}
        for one, other in zip(per_match["model"], per_match["bookmaker"], strict=True)
    ]
    for forecast, matches in per_match.items():
        for name in ("log_loss", "brier", "rps", "accuracy"):
            figure = getattr(getattr(part, forecast), name)
            values = [match[name] for match in matches]
            half = 1.96 * statistics.stdev(values) / math.sqrt(len(values))
            mean = math.fsum(values) / len(values)
            expected = pytest.approx([mean, mean - half, mean + half], abs=CLOSE)
            assert [figure.value, figure.low, figure.high] == expected, (forecast, name)


def check_bins(part: ScorecardPart, rows: list[tuple[date, int, list[float], list[float]]]) -> None:
    for forecast, at in (("model", 0), ("bookmaker", 1)):
        found = {(item.outcome, item.lower): item for item in getattr(part.calibration, forecast)}
        expected: dict[tuple[str, float], list[tuple[float, bool]]] = {}
        for row in rows:
            for number, outcome in enumerate(OUTCOMES):
                chance = row[2:][at][number]
                tenth = min(math.floor(chance * 10), 9) / 10
                expected.setdefault((outcome, tenth), []).append((chance, row[1] == number))
        assert set(found) == set(expected)
        for key, inside in expected.items():
            assert found[key].rows == len(inside)
            assert found[key].upper == pytest.approx(key[1] + 0.1)
            assert found[key].predicted == pytest.approx(sum(chance for chance, _ in inside) / len(inside), abs=CLOSE)
            assert found[key].observed == pytest.approx(sum(came for _, came in inside) / len(inside), abs=CLOSE)


def test_it_equals_a_recomputation_from_the_definitions() -> None:
    # GIVEN
    league = League()

    # WHEN
    card = league.card()

    # THEN
    assert card.overall is not None
    assert card.base_rate is not None
    base = league.shares_before()
    assert [card.base_rate.home, card.base_rate.draw, card.base_rate.away] == pytest.approx(base, abs=CLOSE)
    assert card.rows == len(league.scored()) > 100
    assert card.rows < card.settled < len(league.predictions)
    for part, rows in [
        (card.overall, league.scored()),
        *((part, league.scored("region", part.name)) for part in card.regions),
        *((part, league.scored("season", part.name)) for part in card.seasons),
    ]:
        check_part(part, rows, base)
        check_bins(part, rows)
    assert [part.name for part in card.regions] == ["England", "Spain"]
    assert [part.name for part in card.seasons] == ["2023", "2024", "2025"]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_rows_plays_no_part(order: int) -> None:
    league = League(count=150)
    assert league.card(order) == league.card()


def test_matches_that_the_model_may_have_seen_change_only_the_base_rate() -> None:
    league, more = League(), League()
    more.add(UNTIL, result="A")
    card, other = league.card(), more.card()
    assert card.base_rate != other.base_rate
    assert card.overall is not None
    assert other.overall is not None
    assert card.overall.model == other.overall.model
    assert card.overall.bookmaker == other.overall.bookmaker


def test_what_was_not_played_out_is_not_scored() -> None:
    league = League()
    before = league.card()
    for status in ("awarded", "abandoned", "fixture"):
        league.add(date(2025, 1, 1), status=status)
    assert league.card() == before


def test_an_outcome_that_was_given_no_chance_has_no_log_loss_but_all_other_scores() -> None:
    # GIVEN a home win whose prediction was zero
    league = League()
    name = next(match["match_id"] for match in league.matches if match["match_id"] == league.odds[0]["match_id"])
    next(row for row in league.predictions if row["match_id"] == name).update(home=0.0, draw=0.5, away=0.5)
    next(match for match in league.matches if match["match_id"] == name).update(status="played", result="H")

    # WHEN
    card = league.card()

    # THEN
    assert card.overall is not None
    assert card.overall.model.log_loss.value is None
    assert card.overall.model_minus_bookmaker.log_loss.high is None
    assert card.overall.model.brier.value is not None
    assert card.overall.bookmaker.log_loss.value is not None
    assert Scorecard.model_validate_json(card.model_dump_json(by_alias=True)) == card


def test_one_match_has_values_without_intervals() -> None:
    # GIVEN one match with odds
    league = League(count=0)
    while not league.odds:
        league.add(UNTIL + timedelta(days=1), region="England", season="2024", result="H")

    # WHEN
    card = league.card()

    # THEN
    assert (card.rows, card.base_rate) == (1, None)
    assert card.overall is not None
    assert card.overall.base_rate is None
    assert card.overall.model.brier.value is not None
    assert card.overall.model.brier.low is None


@pytest.mark.parametrize(
    ("league", "trained_until"), [(League(count=0), UNTIL), (League(), None), (League(), date(2100, 1, 1))]
)
def test_a_scorecard_without_scored_matches_is_valid(league: League, trained_until: date | None) -> None:
    card = league.card(trained_until=trained_until)
    assert (card.settled, card.rows, card.overall, card.regions, card.seasons) == (0, 0, None, [], [])
    assert card.trained_until == trained_until
    assert Scorecard.model_validate_json(card.model_dump_json(by_alias=True)) == card


def test_without_odds_nothing_is_scored() -> None:
    league = League()
    league.odds.clear()
    card = league.card()
    assert card.settled > 0
    assert (card.rows, card.overall) == (0, None)
