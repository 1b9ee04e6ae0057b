"""The season of each match of a file, split at the summer breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from matchcast_tools.dataset import store
from matchcast_tools.importing.import_files import import_paths
from matchcast_tools.importing.match_file import parse_match_file
from tests.support.match_files import (
    EXTRA_HEADER,
    csv_bytes,
    extra_row,
    season_row,
    write,
)
from tests.support.parsed_files import rows_of


def test_four_meetings_of_a_pair_are_four_matches() -> None:
    days = ("07/08/2021", "23/10/2021", "26/01/2022", "16/04/2022")
    parsed = parse_match_file("SC0.csv", csv_bytes([season_row(day, division="SC0") for day in days]))

    assert len({match["match_id"] for match in rows_of(parsed)}) == 4
    assert {match["season"] for match in rows_of(parsed)} == {"2021/22"}


def test_a_season_that_a_pandemic_extended_into_august_stays_one() -> None:
    days = ("24/08/2019", "08/03/2020", "20/06/2020", "02/08/2020")
    parsed = parse_match_file("I1.csv", csv_bytes([season_row(day, division="I1") for day in days]))
    assert {match["season"] for match in rows_of(parsed)} == {"2019/20"}


def test_the_first_matches_of_a_new_season_belong_to_the_new_season() -> None:
    days = ("16/08/2014", "24/05/2015", "08/08/2015")
    parsed = parse_match_file("E0.csv", csv_bytes([season_row(day) for day in days]))
    assert [match["season"] for match in rows_of(parsed)] == ["2014/15", "2014/15", "2015/16"]


def test_a_file_of_many_seasons_is_split_at_the_summer_breaks() -> None:
    days = ("16/08/2014", "24/05/2015", "08/08/2015", "17/05/2016", "13/08/2016")
    parsed = parse_match_file("E0.csv", csv_bytes([season_row(day) for day in days]))
    assert [match["season"] for match in rows_of(parsed)] == ["2014/15", "2014/15", "2015/16", "2015/16", "2016/17"]


@pytest.mark.parametrize(
    ("country", "known", "day", "season"),
    [
        ("Brazil", [("01/11/2025", "2025")], "10/04/2026", "2026"),
        ("Brazil", [("20/02/2021", "2020")], "25/02/2021", "2020"),
        ("Denmark", [("17/05/2026", "2025/2026")], "20/07/2026", "2026/27"),
        ("Denmark", [("17/05/2026", "2025/2026")], "24/05/2026", "2025/26"),
        ("Japan", [("06/12/2025", "2025"), ("01/11/2026", "2026/2027")], "20/02/2027", "2026/27"),
        ("Sweden", [], "10/04/2026", "2026"),
        ("Poland", [], "10/04/2026", "2025/26"),
    ],
)
def test_a_fixture_of_an_extra_league_without_a_season_takes_the_form_of_its_league(
    tmp_path: Path, country: str, known: list[tuple[str, str]], day: str, season: str
) -> None:
    # GIVEN results with their seasons in the dataset, and a file of fixtures that has no such column
    header = tuple(name for name in EXTRA_HEADER if name != "Season")
    results = [extra_row(played, "Alpha", "Bravo", season=label, country=country) for played, label in known]
    fixture = extra_row(day, "Bravo", "Alpha", ("", ""), country=country)
    if results:
        import_paths(write(tmp_path, {"a.csv": csv_bytes(results, EXTRA_HEADER)}), tmp_path / "data")

    # WHEN
    import_paths(write(tmp_path, {"b.csv": csv_bytes([fixture], header)}), tmp_path / "data")

    # THEN
    matches = store.read_matches(tmp_path / "data").to_pylist()
    assert [match["season"] for match in matches if match["status"] == "fixture"] == [season]
