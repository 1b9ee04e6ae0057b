"""Nothing later changes anything earlier: features and bets; a planted leak is caught by the same checks."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from matchcast.snapshots.betting import bets
from matchcast.snapshots.dataset import MATCHES_SCHEMA, plain_schema
from matchcast.snapshots.due_predictions import latest_odds
from matchcast_tools.dataset import store
from matchcast_tools.features.build import Computed, Row, compute, features_table, rows_by_region
from matchcast_tools.features.feature_row import FEATURE_COLUMNS, describe
from matchcast_tools.features.ratings import Region, Tuning
from matchcast_tools.importing.import_files import import_paths
from matchcast_tools.sample.league import write_sample

TODAY = date(2026, 3, 14)
CUT = date(2025, 1, 18)
"""A Saturday with many matches: what is later goes, what is of this day stays."""

Matches = list[dict[str, Any]]
Values = dict[str, tuple[float, ...]]
Features = Callable[[Matches], Values]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    import_paths(write_sample(folder / "files", TODAY), folder / "data")
    return folder / "data"


@pytest.fixture(scope="module")
def matches(dataset: Path) -> Matches:
    return list(store.decode(store.read_matches(dataset)).to_pylist())


def features(matches: Matches) -> Values:
    table = pa.Table.from_pylist(matches, schema=plain_schema(MATCHES_SCHEMA))
    parts = [compute(rows, Tuning()) for rows in rows_by_region(table).values()]
    rows = features_table(parts).to_pylist()
    return {row["match_id"]: tuple(row[name] for name in (*FEATURE_COLUMNS, "as_of")) for row in rows}


def check_no_look_ahead(compute_features: Features, matches: Matches) -> None:
    """Fail if a match sees a later one, another one of its day, or the order of the rows."""
    early = [match["match_id"] for match in matches if match["date"] <= CUT]
    expected = pick(compute_features(matches), early)
    dice = random.Random(7)

    shuffled = dice.sample(matches, len(matches))
    assert pick(compute_features(shuffled), early) == expected

    without_later = [match for match in matches if match["date"] <= CUT]
    assert pick(compute_features(without_later), early) == expected

    mixed = [{**match, **result(dice)} if match["date"] > CUT else match for match in matches]
    assert pick(compute_features(mixed), early) == expected

    turned = [{**match, **result(dice)} if match["date"] == CUT else match for match in matches]
    assert pick(compute_features(turned), early) == expected


def pick(values: Values, ids: list[str]) -> Values:
    return {match_id: values[match_id] for match_id in ids}


def result(dice: random.Random) -> dict[str, Any]:
    home, away = dice.randrange(9), dice.randrange(9)
    letter = "H" if home > away else "A" if home < away else "D"
    return {"home_goals": home, "away_goals": away, "result": letter, "status": "played", "home_shots": None}


def test_features_depend_on_earlier_matches_only(matches: Matches) -> None:
    check_no_look_ahead(features, matches)


def test_features_do_depend_on_earlier_matches(matches: Matches) -> None:
    dice = random.Random(7)
    turned = [{**match, **result(dice)} if match["date"] < CUT else match for match in matches]
    before, after = features(matches), features(turned)
    today = [match["match_id"] for match in matches if match["date"] == CUT]
    assert today
    assert all(before[match_id] != after[match_id] for match_id in today)


def leak_of_the_result(matches: Matches) -> Values:
    goals = {match["match_id"]: match["home_goals"] or 0 for match in matches}
    return {match_id: (*values, goals[match_id]) for match_id, values in features(matches).items()}


def leak_of_the_same_day(matches: Matches) -> Values:
    total = Counter[date]()
    for match in matches:
        total[match["date"]] += match["home_goals"] or 0
    days = {match["match_id"]: match["date"] for match in matches}
    return {match_id: (*values, total[days[match_id]]) for match_id, values in features(matches).items()}


def leak_of_the_whole_table(matches: Matches) -> Values:
    found = features(matches)
    mean = math.fsum(values[0] for values in found.values()) / len(found)
    return {match_id: (*values, values[0] - mean) for match_id, values in found.items()}


def leak_of_the_row_order(matches: Matches) -> Values:
    places = {match["match_id"]: place for place, match in enumerate(matches)}
    return {match_id: (*values, places[match_id]) for match_id, values in features(matches).items()}


@pytest.mark.parametrize(
    "leak", [leak_of_the_result, leak_of_the_same_day, leak_of_the_whole_table, leak_of_the_row_order]
)
def test_a_planted_leak_is_caught(leak: Features, matches: Matches) -> None:
    with pytest.raises(AssertionError):
        check_no_look_ahead(leak, matches)


def test_matches_of_one_day_that_learn_from_each_other_are_caught(
    matches: Matches, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN ratings that take in each result of a day before the next match of the day is described
    def compute_with_leak(rows: Sequence[Row], tuning: Tuning) -> Computed:
        region = Region(tuning)
        values = []
        for row in rows:
            values.append(describe(region, row.division, row.season, row.day, (row.home, row.away)))
            if row.played is not None:
                region.learn(row.played)
        return Computed([row.match_id for row in rows], values, [row.kickoff for row in rows])

    monkeypatch.setitem(globals(), "compute", compute_with_leak)

    # WHEN they are checked
    # THEN the levels of the division show it: they count each goal at once, while a team plays only once a day
    with pytest.raises(AssertionError):
        check_no_look_ahead(features, matches)


def test_bets_depend_on_nothing_later(dataset: Path) -> None:
    # GIVEN predictions at random, which know nothing of the results
    matches = store.decode(store.read_matches(dataset)).to_pandas()
    odds = store.decode(store.read_odds(dataset))
    dice = random.Random(5)
    predictions = pd.DataFrame(
        [(match_id, *(dice.random() for _ in "hda")) for match_id in matches["match_id"]],
        columns=["match_id", "home", "draw", "away"],
    )

    def placed(matches: pd.DataFrame) -> pd.DataFrame:
        known = latest_odds(odds, "fonbet", matches)
        frame = bets(predictions, matches, known, edge_threshold=0.1, trained_until=date(2024, 1, 1))
        return frame[frame["day"] <= CUT.toordinal()].reset_index(drop=True)

    # WHEN the bets until the cut are computed
    expected = placed(matches)
    # THEN they are the same without the later matches, and in any order of the matches
    assert len(expected) > 100
    pd.testing.assert_frame_equal(placed(matches[matches["date"] <= CUT]), expected)
    pd.testing.assert_frame_equal(placed(matches.sample(frac=1, random_state=1)), expected)


def test_names_of_features_hold_no_odds() -> None:
    assert not [name for name in FEATURE_COLUMNS if "odds" in name or "price" in name]
