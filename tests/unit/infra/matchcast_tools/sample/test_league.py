from __future__ import annotations

import hashlib
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchcast.snapshots import scoring
from matchcast_tools.dataset import store
from matchcast_tools.evaluation.bookmaker import figures, read_files, select
from matchcast_tools.features.build import build_features
from matchcast_tools.importing.books import Price
from matchcast_tools.importing.divisions import SAMPLE_DIVISIONS
from matchcast_tools.importing.import_files import import_paths
from matchcast_tools.sample.league import sample_files, write_sample
from matchcast_tools.sample.matches import SAMPLE_TEAMS, season_start
from tests.support.examples import examples

TODAY = date(2026, 3, 14)
DIGEST = "b9e05b4194f473ad"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    report = import_paths(write_sample(folder / "files", TODAY), folder / "data")
    assert not report.failed
    assert report.total("skipped") == report.total("repaired") == report.total("odds_rejected") == 0
    assert report.total("awarded") == report.total("abandoned") == 0
    return folder / "data"


def test_the_same_day_and_seed_give_the_same_bytes_on_every_machine() -> None:
    total = hashlib.sha256()
    for name, body in sample_files(TODAY).items():
        total.update(name.encode() + body)
    assert total.hexdigest().startswith(DIGEST)


def test_another_seed_gives_other_matches() -> None:
    assert sample_files(TODAY, seed="another") != sample_files(TODAY)


def test_it_has_the_size_of_a_quick_demo_and_every_region(dataset: Path) -> None:
    matches = store.read_matches(dataset)
    assert 3000 <= len(matches) <= 4500
    assert set(matches["region"].to_pylist()) == set(SAMPLE_DIVISIONS)
    assert {len(files) for files in SAMPLE_DIVISIONS.values()} == {1, 2}
    assert set(SAMPLE_TEAMS) == {code for leagues in SAMPLE_DIVISIONS.values() for code in leagues}


def test_past_matches_have_results_and_coming_ones_are_fixtures(dataset: Path) -> None:
    for match in store.read_matches(dataset).select(["date", "status"]).to_pylist():
        assert match["status"] == ("played" if match["date"] < TODAY else "fixture")


def test_coming_weeks_have_odds_some_are_missing_and_closing_odds_come_with_the_result(dataset: Path) -> None:
    # GIVEN
    odds = store.read_odds(dataset).to_pandas()
    matches = store.read_matches(dataset).to_pandas().set_index("match_id")
    soon = matches[(matches["date"] >= TODAY) & (matches["date"] <= TODAY + timedelta(days=21))]
    fonbet = set(odds.loc[odds["bookmaker"] == "fonbet", "match_id"])

    # WHEN the coming matches with odds are counted
    covered = sum(match_id in fonbet for match_id in soon.index)
    # THEN most have odds, later ones have none, and closing odds belong to played matches
    assert 0.8 * len(soon) < covered < len(soon)
    late = matches[matches["date"] > TODAY + timedelta(days=21)]
    assert not set(late.index) & set(odds["match_id"])
    closing = odds["taken_at"].to_numpy() == matches.loc[odds["match_id"], "kickoff"].to_numpy()
    assert set(odds.loc[closing, "bookmaker"]) == {"bet365", "pinnacle"}
    assert set(matches.loc[odds.loc[closing, "match_id"], "status"]) == {"played"}


def test_clubs_go_up_and_down_between_the_divisions(dataset: Path) -> None:
    matches = store.read_matches(dataset).to_pandas()
    tops = matches[matches["division"] == "AM1"].groupby("season", observed=True)["home_team"].unique()
    assert len({frozenset(teams) for teams in tops}) > 1
    assert all(len(set(teams)) == 16 for teams in tops)


def test_the_better_informed_forecast_better_and_all_take_a_margin(tmp_path: Path) -> None:
    # GIVEN
    dataset, _ = read_files(write_sample(tmp_path, TODAY))
    # WHEN
    found = {
        name: figures(select(dataset, price), "multiplicative")
        for name, price in {
            "fonbet": Price("fonbet"),
            "pinnacle": Price("pinnacle"),
            "closing": Price("pinnacle", closing=True),
        }.items()
    }
    base = scoring.base_rate(select(dataset, Price("pinnacle")).results)
    base_loss = scoring.log_losses(base, select(dataset, Price("pinnacle")).results).mean()

    # THEN
    assert found["closing"]["log_loss"] < found["pinnacle"]["log_loss"] < found["fonbet"]["log_loss"] < base_loss - 0.05
    assert found["fonbet"]["overround"] == pytest.approx(1.065, abs=0.01)
    assert found["pinnacle"]["overround"] == pytest.approx(1.028, abs=0.01)


def test_features_of_the_sample_are_computed_in_seconds(dataset: Path) -> None:
    report = build_features(dataset)
    assert report.seconds < 5
    assert report.matches == len(store.read_matches(dataset))


@given(st.dates(date(2024, 1, 1), date(2034, 1, 1)))
@settings(max_examples=examples(3), deadline=None)
def test_on_any_day_there_are_fixtures_soon_and_a_later_day_only_adds(today: date) -> None:
    # WHEN
    present, later = sample_files(today), sample_files(today + timedelta(days=3))

    # THEN fixtures come soon, and thousands of matches have been played
    days = [
        date(int(cells[1][6:]), int(cells[1][3:5]), int(cells[1][:2]))
        for body in present.values()
        for cells in (line.split(",") for line in body.decode().splitlines()[1:])
    ]
    assert any(today <= day <= today + timedelta(days=60) for day in days)
    assert sum(day < today for day in days) >= 4 * 800
    # THEN the later day fills in blank cells, and changes none
    for name in present.keys() & later.keys():
        for before, after in zip(present[name].splitlines(), later[name].splitlines(), strict=True):
            assert all(old in (b"", new) for old, new in zip(before.split(b","), after.split(b","), strict=True))


def test_the_importer_separates_the_seasons(dataset: Path) -> None:
    matches = store.read_matches(dataset)
    assert len(set(matches["season"].to_pylist())) == 5
    assert season_start(2026) == date(2026, 7, 18)
