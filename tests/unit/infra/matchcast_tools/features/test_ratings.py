from __future__ import annotations

import math
from copy import deepcopy

import pytest

from matchcast_tools.features.ratings import Played, Region, Tuning

TUNING = Tuning()


def played(
    home: str = "Alpha", away: str = "Bravo", goals: tuple[int, int] = (3, 0), *, season: str = "2014/15", day: int = 1
) -> Played:
    return Played("E0", season, day, home, away, *goals, math.nan, math.nan)


def region(*matches: Played) -> Region:
    made = Region(TUNING)
    for match in matches:
        made.learn(match)
    return made


def test_what_one_team_gains_the_other_loses() -> None:
    made = region(played())
    assert made.teams["Alpha"].elo > 1500
    assert made.teams["Alpha"].elo + made.teams["Bravo"].elo == pytest.approx(3000)
    assert made.teams["Alpha"].attack > 0 > made.teams["Bravo"].defence


def test_a_high_win_counts_for_more_and_an_expected_one_for_less() -> None:
    narrow, high = region(played(goals=(1, 0))), region(played(goals=(5, 0)))
    away = region(played(goals=(0, 1)))

    assert high.teams["Alpha"].elo > narrow.teams["Alpha"].elo
    assert away.teams["Bravo"].elo > narrow.teams["Alpha"].elo


def test_a_new_season_pulls_the_ratings_towards_the_mean_and_restarts_the_count() -> None:
    made = region(*(played(day=day) for day in range(20)))
    before, after = made.teams["Alpha"], made.team("Alpha", "E0", "2015/16")

    assert after.elo - 1500 == pytest.approx((before.elo - 1500) * (1 - TUNING.elo_regress))
    assert after.attack == pytest.approx(before.attack * (1 - TUNING.strength_regress))
    assert (before.played, after.played, after.recent) == (20, 0, before.recent)
    assert made.teams["Alpha"] is before


def test_looking_at_a_team_changes_nothing() -> None:
    made = region(played())
    before = deepcopy(made)
    made.team("Alpha", "E0", "2015/16")
    made.team("Stranger", "E0", "2015/16")
    made.level("E1", "2015/16")
    assert made == before


def test_shots_rate_a_team_where_they_are_known_and_goals_where_not() -> None:
    shots = region(played(goals=(0, 0))._replace(home_shots=30.0, away_shots=2.0))
    goals = region(played(goals=(4, 0)))
    assert shots.teams["Alpha"].shot_attack > goals.teams["Alpha"].shot_attack > 0
    assert shots.levels["E0"].home_shots > goals.levels["E0"].home_shots
