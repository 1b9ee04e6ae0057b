"""The features of one match, as the ratings of its region stand before it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matchcast_tools.features.ratings import Region, Team

FEATURE_COLUMNS = (
    "elo_home",
    "elo_away",
    "elo_difference",
    "expected_goals_home",
    "expected_goals_away",
    "expected_shots_home",
    "expected_shots_away",
    "form_home",
    "form_away",
    "goals_for_home",
    "goals_against_home",
    "goals_for_away",
    "goals_against_away",
    "beyond_expectation_home",
    "beyond_expectation_away",
    "rest_days_home",
    "rest_days_away",
    "matches_played_home",
    "matches_played_away",
)
"""Ratings: Elo and its difference; goals and shots expected from the attack and defence of the two teams.
Form: points, goals for and against per match over the last six; how far the home team at home, and the away
team away, beat the Elo expectation over the last eight (-1 to 1). Calendar: days since the last match
(at most 14), matches played this season."""

_USUAL_POINTS, _USUAL_GOALS = 1.35, 1.3
_FORM_WEIGHT, _SPLIT_WEIGHT = 2, 4
_USUAL_REST, _LONGEST_REST = 7, 14


def describe(region: Region, division: str, season: str, day: int, teams: tuple[str, str]) -> tuple[float, ...]:
    """Return the values of `FEATURE_COLUMNS` for home and away team on a day (an ordinal); changes nothing."""
    level = region.level(division, season)
    home = region.team(teams[0], division, season)
    away = region.team(teams[1], division, season)
    return (
        home.elo,
        away.elo,
        home.elo - away.elo,
        level.home_goals * math.exp(home.attack - away.defence),
        level.away_goals * math.exp(away.attack - home.defence),
        level.home_shots * math.exp(home.shot_attack - away.shot_defence),
        level.away_shots * math.exp(away.shot_attack - home.shot_defence),
        _recent(home, 0, _USUAL_POINTS),
        _recent(away, 0, _USUAL_POINTS),
        _recent(home, 1, _USUAL_GOALS),
        _recent(home, 2, _USUAL_GOALS),
        _recent(away, 1, _USUAL_GOALS),
        _recent(away, 2, _USUAL_GOALS),
        _shrunk(home.at_home, 0.0, _SPLIT_WEIGHT),
        _shrunk(away.away, 0.0, _SPLIT_WEIGHT),
        _rest(home, day),
        _rest(away, day),
        home.played,
        away.played,
    )


def _recent(team: Team, index: int, usual: float) -> float:
    return _shrunk([match[index] for match in team.recent], usual, _FORM_WEIGHT)


def _shrunk(values: Sequence[float], usual: float, weight: float) -> float:
    """Return the mean of a few values, moved towards the usual value as if that had been seen `weight` times."""
    return (sum(values) + usual * weight) / (len(values) + weight)


def _rest(team: Team, day: int) -> float:
    return _USUAL_REST if team.day is None else min(day - team.day, _LONGEST_REST)
