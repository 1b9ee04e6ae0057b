"""The season of each match of a file, split at the summer breaks."""

from __future__ import annotations

from matchcast_tools.importing.match_file import parse_match_file
from tests.support.match_files import (
    csv_bytes,
    season_row,
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
