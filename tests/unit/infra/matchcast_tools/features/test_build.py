from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from matchcast.snapshots.dataset import MOMENT
from matchcast_tools.dataset import store
from matchcast_tools.errors import BadInput
from matchcast_tools.features.build import FeatureReport, build_features
from matchcast_tools.features.feature_row import FEATURE_COLUMNS
from matchcast_tools.features.feature_state import STATE_FILE
from matchcast_tools.features.ratings import Tuning
from matchcast_tools.importing.import_files import import_paths
from tests.support.match_files import League, csv_bytes, fixture_row, season_row, write


class Data:
    """A dataset that grows by imports, and its features."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, rows: list[dict[str, str]]) -> None:
        import_paths(write(self.folder / "files", {"E0.csv": csv_bytes(rows)}), self.folder)

    def build(self, *, afresh: bool = False, tuning: Tuning | None = None) -> FeatureReport:
        return build_features(self.folder, afresh=afresh, tuning=tuning)

    def table(self) -> pa.Table:
        return store.read_features(self.folder)

    def of(self, match_id: str) -> dict[str, float]:
        return next(row for row in self.table().to_pylist() if row["match_id"] == match_id)


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def test_every_match_has_finite_float32_features_fixtures_too(data: Data) -> None:
    data.put([*League().rows, fixture_row("22/05/2016", "Alpha", "Newcomers")])
    report = data.build()

    table = data.table()
    assert table.column_names == ["match_id", *FEATURE_COLUMNS, "as_of"]
    assert {table.schema.field(name).type for name in FEATURE_COLUMNS} == {pa.float32()}
    assert table.schema.field("as_of").type == MOMENT
    assert sum(column.null_count for column in table.columns) == 0
    assert np.isfinite(np.column_stack([table[name] for name in FEATURE_COLUMNS])).all()
    assert table["match_id"].to_pylist() == sorted(table["match_id"].to_pylist())
    assert (report.matches, report.computed, report.regions) == (25, 25, 1)


def test_the_first_match_knows_nothing_of_either_team(data: Data) -> None:
    data.put([season_row(score=(5, 0))])
    data.build()

    first = data.of("e0-2014-08-16-arsenal-crystal-palace")
    assert (first["elo_home"], first["elo_away"], first["elo_difference"]) == (1500, 1500, 0)
    assert (first["matches_played_home"], first["rest_days_home"]) == (0, 7)
    assert first["as_of"] == store.read_matches(data.folder)["kickoff"][0].as_py()


def test_a_win_raises_what_is_expected_of_the_next_match_only(data: Data) -> None:
    data.put([
        season_row("16/08/2014", "Alpha", "Bravo", (4, 0)),
        season_row("23/08/2014", "Alpha", "Charlie", (1, 1)),
        season_row("23/08/2014", "Bravo", "Delta", (1, 1)),
    ])  # fmt: skip
    data.build()

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


def test_awarded_and_unplayed_matches_teach_nothing(data: Data) -> None:
    rows = [season_row("16/08/2014", home, away) for home, away in (("Alpha", "Bravo"), ("Charlie", "Delta"))]
    last = season_row("30/08/2014", "Alpha", "Charlie")
    data.put([*rows, last])
    data.build()
    before = data.of("e0-2014-08-30-alpha-charlie")

    awarded = season_row("23/08/2014", "Charlie", "Alpha", (3, 0), odds=("", "", ""))
    data.put([*rows, awarded, fixture_row("24/08/2014", "Alpha", "Charlie"), last])
    data.build()

    assert data.of("e0-2014-08-30-alpha-charlie") == before


def test_shots_move_the_expectation_of_shots(data: Data) -> None:
    header = ("Div", "Date", "HomeTeam", "AwayTeam", "FTHG", "FTAG", "HS", "AS")
    rows = ["E0,16/08/2014,Alpha,Bravo,1,1,25,3", "E0,16/08/2014,Charlie,Delta,1,1,3,25",
            "E0,23/08/2014,Alpha,Charlie,1,1,9,9", "E0,23/08/2014,Bravo,Delta,1,1,9,9"]  # fmt: skip
    import_paths(write(data.folder / "files", {"E0.csv": csv_bytes(rows, header)}), data.folder)
    data.build()
    high, low = data.of("e0-2014-08-23-alpha-charlie"), data.of("e0-2014-08-23-bravo-delta")
    assert high["expected_shots_home"] > low["expected_shots_home"] + 0.5


def test_a_mistyped_score_does_not_throw_the_ratings_off(data: Data) -> None:
    data.put([season_row(f"{day:02d}/09/2014", "Alpha", "Bravo", (99, 0)) for day in range(1, 29)])
    data.build()
    last = data.of("e0-2014-09-28-alpha-bravo")
    assert all(np.isfinite(last[name]) for name in FEATURE_COLUMNS)
    assert last["expected_goals_home"] < 12


def test_a_new_match_day_does_not_recompute_the_past_and_gives_the_same_bytes(data: Data) -> None:
    league = League(seasons=(2014, 2015, 2016)).rows
    data.put(league[:-2])
    assert data.build().computed == len(league) - 2

    data.put(league)
    report = data.build()
    continued = (data.folder / store.FEATURES_FILE).read_bytes()

    assert 2 <= report.computed <= 6
    assert data.build(afresh=True).computed == len(league)
    assert (data.folder / store.FEATURES_FILE).read_bytes() == continued


def test_match_day_by_match_day_equals_all_at_once(data: Data) -> None:
    league = League(teams=tuple("ABCDEF"), seasons=(2014, 2015)).rows
    for end in range(1, len(league) + 1, 7):
        data.put([*league[:end], *(fixture_row(row["Date"], row["HomeTeam"], row["AwayTeam"]) for row in league[end:])])
        data.build()
    data.put(league)
    data.build()
    continued = data.table()
    data.build(afresh=True)
    assert continued.equals(data.table())


def test_a_correction_of_the_past_is_seen_and_recomputed(data: Data) -> None:
    league = League().rows
    data.put(league)
    data.build()
    corrected = [{**league[0], "FTHG": "7", "FTR": "H"}, *league[1:]]
    data.put(corrected)

    assert data.build().computed == len(league)
    continued = data.table()
    data.build(afresh=True)
    assert continued.equals(data.table())


@pytest.mark.parametrize("damage", ["", "{", '{"made_for": 1}', "[]"])
def test_a_damaged_state_costs_a_full_computation_and_nothing_else(data: Data, damage: str) -> None:
    data.put(League().rows)
    data.build()
    before = data.table()
    (data.folder / STATE_FILE).write_text(damage)

    assert data.build().computed == 24
    assert data.table().equals(before)


def test_other_constants_or_other_stored_features_start_afresh(data: Data) -> None:
    data.put(League().rows)
    data.build()
    assert data.build(tuning=replace(Tuning(), elo_step=30)).computed == 24
    assert data.build(tuning=Tuning()).computed == 24

    store.write_table(data.folder / store.FEATURES_FILE, data.table().slice(1))
    assert data.build().computed == 24


def test_without_matches_there_is_a_hint(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="matchcast import --sample"):
        build_features(tmp_path)
