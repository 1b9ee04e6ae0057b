from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from matchcast.snapshots.dataset import FEATURES_FILE, MOMENT
from matchcast_tools.dataset import store
from matchcast_tools.errors import BadInput
from matchcast_tools.features.build import FeatureReport, Row, build_features, compute
from matchcast_tools.features.feature_row import FEATURE_COLUMNS
from matchcast_tools.features.ratings import Played, Tuning
from matchcast_tools.importing.import_files import import_paths
from tests.support.match_files import League, csv_bytes, fixture_row, season_row, write


class Data:
    """A dataset that grows by imports, and its features."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, rows: list[dict[str, str]]) -> None:
        import_paths(write(self.folder / "files", {"E0.csv": csv_bytes(rows)}), self.folder)

    def build(self) -> FeatureReport:
        return build_features(self.folder)

    def table(self) -> pa.Table:
        return store.read_features(self.folder)

    def of(self, match_id: str) -> dict[str, Any]:
        return next(row for row in self.table().to_pylist() if row["match_id"] == match_id)


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def test_every_match_has_finite_float32_features_fixtures_too(data: Data) -> None:
    # GIVEN
    data.put([*League().rows, fixture_row("22/05/2016", "Alpha", "Newcomers")])
    # WHEN
    report = data.build()

    # THEN
    table = data.table()
    assert table.column_names == ["match_id", *FEATURE_COLUMNS, "as_of"]
    assert {table.schema.field(name).type for name in FEATURE_COLUMNS} == {pa.float32()}
    assert table.schema.field("as_of").type == MOMENT
    assert sum(column.null_count for column in table.columns) == 0
    assert np.isfinite(np.column_stack([table[name] for name in FEATURE_COLUMNS])).all()
    assert table["match_id"].to_pylist() == sorted(table["match_id"].to_pylist())
    assert (report.matches, report.regions) == (25, 1)


def test_the_first_match_knows_nothing_of_either_team(data: Data) -> None:
    data.put([season_row(score=(5, 0))])
    data.build()

    first = data.of("e0-2014-08-16-arsenal-crystal-palace")
    assert (first["elo_home"], first["elo_away"], first["elo_difference"]) == (1500, 1500, 0)
    assert (first["matches_played_home"], first["rest_days_home"]) == (0, 7)
    assert first["as_of"] == store.read_matches(data.folder)["kickoff"][0].as_py()


def test_a_win_raises_what_is_expected_of_the_next_match_only(data: Data) -> None:
    # GIVEN
    data.put([
        season_row("16/08/2014", "Alpha", "Bravo", (4, 0)),
        season_row("23/08/2014", "Alpha", "Charlie", (1, 1)),
        season_row("23/08/2014", "Bravo", "Delta", (1, 1)),
    ])  # fmt: skip
    # WHEN
    data.build()

    # THEN
    after = data.of("e0-2014-08-23-alpha-charlie")
    assert after["elo_home"] > 1500 > data.of("e0-2014-08-23-bravo-delta")["elo_home"]
    assert after["expected_goals_home"] > 1.5
    assert after["form_home"] > after["form_away"]
    assert after["goals_for_home"] > after["goals_against_home"]
    assert after["beyond_expectation_home"] > 0
    assert (after["rest_days_home"], after["matches_played_home"], after["matches_played_away"]) == (7, 1, 0)
    assert after["as_of"].date().isoformat() == "2014-08-16"


def test_unknown_teams_join_an_old_division_below_its_mean(data: Data) -> None:
    data.put([*League(seasons=(2014,)).rows, season_row("15/08/2015", "Alpha", "Promoted")])
    data.build()
    row = data.of("e0-2015-08-15-alpha-promoted")
    assert row["elo_away"] < 1450
    assert row["expected_goals_away"] < row["expected_goals_home"]


def test_awarded_and_unplayed_matches_change_no_rating(data: Data) -> None:
    # GIVEN features of a match that follows two played ones
    rows = [season_row("16/08/2014", home, away) for home, away in (("Alpha", "Bravo"), ("Charlie", "Delta"))]
    last = season_row("30/08/2014", "Alpha", "Charlie")
    data.put([*rows, last])
    data.build()
    before = data.of("e0-2014-08-30-alpha-charlie")

    # WHEN an awarded match and a fixture come in between
    awarded = season_row("23/08/2014", "Charlie", "Alpha", (3, 0), odds=("", "", ""))
    data.put([*rows, awarded, fixture_row("24/08/2014", "Alpha", "Charlie"), last])
    data.build()

    # THEN its features are the same
    assert data.of("e0-2014-08-30-alpha-charlie") == before


def test_shots_move_the_expectation_of_shots(data: Data) -> None:
    header = ("Div", "Date", "HomeTeam", "AwayTeam", "FTHG", "FTAG", "HS", "AS")
    rows = ["E0,16/08/2014,Alpha,Bravo,1,1,25,3", "E0,16/08/2014,Charlie,Delta,1,1,3,25",
            "E0,23/08/2014,Alpha,Charlie,1,1,9,9", "E0,23/08/2014,Bravo,Delta,1,1,9,9"]  # fmt: skip
    import_paths(write(data.folder / "files", {"E0.csv": csv_bytes(rows, header)}), data.folder)
    data.build()
    high, low = data.of("e0-2014-08-23-alpha-charlie"), data.of("e0-2014-08-23-bravo-delta")
    assert high["expected_shots_home"] > low["expected_shots_home"] + 0.5


def test_a_mistyped_score_does_not_distort_the_ratings(data: Data) -> None:
    data.put([season_row(f"{day:02d}/09/2014", "Alpha", "Bravo", (99, 0)) for day in range(1, 29)])
    data.build()
    last = data.of("e0-2014-09-28-alpha-bravo")
    assert all(np.isfinite(last[name]) for name in FEATURE_COLUMNS)
    assert last["expected_goals_home"] < 12


def test_the_same_dataset_gives_the_same_bytes(data: Data) -> None:
    data.put(League().rows)
    data.build()
    before = (data.folder / FEATURES_FILE).read_bytes()

    data.build()

    assert (data.folder / FEATURES_FILE).read_bytes() == before


def test_a_dataset_that_grows_match_day_by_match_day_has_the_features_of_one_import(data: Data, tmp_path: Path) -> None:
    # GIVEN a season that is imported and built again after each seven matches
    league = League(teams=tuple("ABCDEF"), seasons=(2014, 2015)).rows
    for end in range(1, len(league) + 1, 7):
        data.put([*league[:end], *(fixture_row(row["Date"], row["HomeTeam"], row["AwayTeam"]) for row in league[end:])])
        data.build()

    # WHEN the last matches are played
    data.put(league)
    data.build()

    # THEN the features are those of a dataset that is imported at once
    whole = Data(tmp_path / "whole")
    whole.put(league)
    whole.build()
    assert data.table().equals(whole.table())


def test_a_correction_of_the_past_changes_later_features_and_no_earlier_one(data: Data) -> None:
    # GIVEN features of a league
    league = League().rows
    data.put(league)
    data.build()
    first, last = (data.table().sort_by("as_of").to_pylist()[place] for place in (0, -1))

    # WHEN the first score is corrected
    data.put([{**league[0], "FTHG": "7", "FTR": "H"}, *league[1:]])
    data.build()

    # THEN the first match has the same features, and the last one has others
    assert data.of(first["match_id"]) == first
    assert data.of(last["match_id"]) != last


def test_without_matches_there_is_a_hint(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="matchcast import --sample"):
        build_features(tmp_path)


def test_no_match_is_described_as_of_a_moment_after_its_kick_off() -> None:
    # GIVEN a match whose day is later and whose kick-off is not: days are local, and some times are unknown
    day, hour = date(2024, 8, 17).toordinal(), 3_600_000
    played = Played("E0", "2425", day, "Alder", "Birch", 2, 1, math.nan, math.nan)
    rows = [
        Row(day, "a", 23 * hour, "E0", "2425", "Alder", "Birch", played),
        Row(day + 1, "b", 22 * hour, "E0", "2425", "Cedar", "Dogwood", None),
        Row(day + 2, "c", 50 * hour, "E0", "2425", "Cedar", "Dogwood", None),
    ]

    # WHEN they are described
    computed = compute(rows, Tuning())

    # THEN
    assert computed.as_of == [23 * hour, 22 * hour, 23 * hour]
