"""One club under several names: one rating, one match, and a warning where it cannot be known."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from matchcast_tools.dataset import store
from matchcast_tools.features.build import build_features
from matchcast_tools.importing.import_files import import_paths
from matchcast_tools.importing.report import ImportReport
from matchcast_tools.importing.teams import looks_like, team_key
from tests.support.match_files import EXTRA_HEADER, SEASON_HEADER, csv_bytes, extra_row, season_row, write


def put(folder: Path, rows: list[dict[str, str]], header: tuple[str, ...] | None = None) -> ImportReport:
    """Import a file of these rows."""
    body = csv_bytes(rows, header or SEASON_HEADER, "utf-8")
    return import_paths(write(folder / "files", {"a.csv": body}), folder / "data")


@pytest.mark.parametrize(
    ("region", "name", "other"),
    [
        ("Norway", "Ham-Kam", "HamKam"),
        ("Argentina", "Colon Santa FE", "Colon Santa Fe"),
        ("Poland", "Gornik Z.", "Gornik Zabrze"),
        ("Germany", "Köln", "Koln"),
    ],
)
def test_a_club_keeps_its_ratings_under_another_spelling(tmp_path: Path, region: str, name: str, other: str) -> None:
    # GIVEN a season under one spelling, and a match of the next under the other
    days = [f"{day:02d}/04/2014" for day in range(1, 25)]
    rows = [extra_row(day, name, "Bravo", (3, 0), season="2014", country=region) for day in days]
    rows.append(extra_row("05/04/2015", other, "Bravo", ("", ""), season="2015", country=region))

    # WHEN
    report = put(tmp_path, rows, EXTRA_HEADER)
    build_features(tmp_path / "data")

    # THEN its Elo goes on, and nobody has to be warned
    features = store.read_features(tmp_path / "data").to_pylist()
    assert features[-1]["elo_home"] > 1550
    assert report.renames == []


def test_a_match_under_another_spelling_of_its_clubs_is_the_same_match(tmp_path: Path) -> None:
    put(tmp_path, [season_row(home="Ham-Kam"), season_row(home="Hull")])
    report = put(tmp_path, [season_row(home="HamKam"), season_row(home="Hull")])

    assert report.changes.moved == ["e0-2014-08-16-ham-kam-crystal-palace"]
    assert store.read_matches(tmp_path / "data")["home_team"].to_pylist() == ["HamKam", "Hull"]


def test_a_new_team_that_looks_like_one_that_vanished_is_reported_once(tmp_path: Path) -> None:
    # GIVEN a club that is gone, and one with a name like it in the next season
    old = [season_row("16/08/2014", "Mouscron-Peruwelz"), season_row("10/05/2015", "Hull", "Mouscron-Peruwelz")]
    put(tmp_path, old)
    new = [season_row("15/08/2015", "Mouscron"), season_row("16/08/2015", "Stoke")]

    # WHEN
    first, second = put(tmp_path, new), put(tmp_path, new)

    # THEN
    (rename,) = first.renames
    assert (rename.team, rename.like, rename.last) == ("Mouscron", "Mouscron-Peruwelz", date(2015, 5, 10))
    assert first.as_dict()["renames"][0]["region"] == "England"
    assert second.renames == []


def test_two_clubs_that_play_at_the_same_time_are_no_renames(tmp_path: Path) -> None:
    rows = [season_row(day, "Dundee", "Dundee United") for day in ("16/08/2014", "16/05/2015", "15/08/2015")]
    assert put(tmp_path, rows).renames == []


@pytest.mark.parametrize(
    ("name", "other", "alike"),
    [
        ("Gornik Z.", "Gornik Zabrze", True),
        ("Parma", "Parma FC", True),
        ("Strasburg", "Strasbourg", True),
        ("Arsenal", "Everton", False),
        ("Man City", "Man United", False),
        ("AC", "AC Milan", False),
    ],
)
def test_names_look_alike_where_one_shortens_the_other_or_few_letters_differ(
    name: str, other: str, alike: bool
) -> None:
    assert looks_like(name, other) == looks_like(other, name) == alike


def test_a_name_without_letters_of_ascii_is_its_own_key() -> None:
    assert team_key("China", "上海") != team_key("China", "北京")
