"""What is known about teams and divisions of one region before a match, learnt match by match.

Three ratings per team, each moved by the surprise in a result: Elo (with home advantage and margin of
victory), attack and defence by goals (Poisson means, one gradient step a match; compare Ley, Van de Wiele
and Van Eetvelde, 2019), and the same by shots, which say more than goals where they are known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Tuning:
    """The constants of the ratings, chosen by walking forward through real leagues of 2014/15 to 2018/19.

    Steps say how much a surprise moves a rating, `level` those of a division (its goals, shots and home
    advantage); `new` where an unknown team starts, `regress` how far a new season pulls towards the mean, and
    `early_boost` how much larger the steps are while a season is young.
    """

    elo_step: float = 16.0
    elo_home: float = 65.0
    elo_home_step: float = 0.3
    elo_new: float = -80.0
    elo_regress: float = 0.1
    goal_step: float = 0.023
    shot_step: float = 0.1
    shot_scale: float = 12.0
    strength_new: float = -0.08
    strength_regress: float = 0.1
    level_step: float = 0.004
    early_boost: float = 0.6


class Played(NamedTuple):
    """One finished match as the ratings need it; shots are NaN where they are not known."""

    division: str
    season: str
    day: int
    home: str
    away: str
    home_goals: int
    away_goals: int
    home_shots: float
    away_shots: float


@dataclass(slots=True)
class Team:
    """One team as of its last match; `day` counts days as `date.toordinal` does."""

    season: str
    division: str
    elo: float = 1500.0
    attack: float = 0.0
    defence: float = 0.0
    shot_attack: float = 0.0
    shot_defence: float = 0.0
    day: int | None = None
    played: int = 0
    recent: list[tuple[int, int, int]] = field(default_factory=list)
    at_home: list[float] = field(default_factory=list)
    away: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Level:
    """What matches of a division are like: goals and shots of an average team, and its home advantage in Elo."""

    first_season: str
    elo_home: float
    home_goals: float = 1.5
    away_goals: float = 1.15
    home_shots: float = 13.2
    away_shots: float = 10.8


_RECENT, _SPLIT = 6, 8
_MOST_GOALS, _MOST_SHOTS = 10, 60.0


@dataclass(slots=True)
class Region:
    """The ratings of all teams and divisions of a region."""

    tuning: Tuning
    teams: dict[str, Team] = field(default_factory=dict)
    levels: dict[str, Level] = field(default_factory=dict)

    def level(self, division: str, season: str) -> Level:
        """Return the level of a division; one that was not seen yet starts with usual values."""
        return self.levels.get(division) or Level(season, self.tuning.elo_home)

    def team(self, name: str, division: str, season: str) -> Team:
        """Return a team as it enters a match, without changing what is stored.

        A new season pulls the ratings towards the mean; an unknown team joins below the mean of its
        division, except in the first season of the division that is known.
        """
        known = self.teams.get(name)
        if known is None:
            return self._newcomer(division, season)
        if known.season == season:
            return known
        keep = 1 - self.tuning.strength_regress
        return replace(
            known,
            season=season,
            division=division,
            elo=known.elo + self.tuning.elo_regress * (1500.0 - known.elo),
            attack=known.attack * keep,
            defence=known.defence * keep,
            shot_attack=known.shot_attack * keep,
            shot_defence=known.shot_defence * keep,
            played=0,
        )

    def _newcomer(self, division: str, season: str) -> Team:
        peers = [team.elo for team in self.teams.values() if team.division == division]
        elo = math.fsum(peers) / len(peers) if peers else 1500.0
        if self.level(division, season).first_season == season:
            return Team(season, division, elo=elo)
        new = self.tuning.strength_new
        return Team(season, division, elo + self.tuning.elo_new, new, new, new, new)

    def learn(self, match: Played) -> None:
        """Take in the result of a match."""
        tuning = self.tuning
        level = self.levels.setdefault(match.division, self.level(match.division, match.season))
        home = self.teams[match.home] = self.team(match.home, match.division, match.season)
        away = self.teams[match.away] = self.team(match.away, match.division, match.season)
        # More than ten goals say nothing more, and a mistyped 55 must not distort a rating.
        goals = min(match.home_goals, _MOST_GOALS), min(match.away_goals, _MOST_GOALS)
        score = 1.0 if goals[0] > goals[1] else 0.5 if goals[0] == goals[1] else 0.0
        surprise = score - 1 / (1 + 10 ** (-(home.elo + level.elo_home - away.elo) / 400))
        margin = abs(goals[0] - goals[1])
        boost = 1 + tuning.early_boost * math.exp(-min(home.played, away.played) / 5)
        step = tuning.elo_step * boost * (1.2 * math.log1p(margin) if margin else 0.9) * surprise
        home.elo += step
        away.elo -= step
        level.elo_home += tuning.elo_home_step * surprise
        over_home = goals[0] - level.home_goals * math.exp(home.attack - away.defence)
        over_away = goals[1] - level.away_goals * math.exp(away.attack - home.defence)
        step = tuning.goal_step * boost
        home.attack += step * over_home
        away.defence -= step * over_home
        away.attack += step * over_away
        home.defence -= step * over_away
        self._learn_shots(match, home, away, level, (over_home, over_away))
        level.home_goals += tuning.level_step * (goals[0] - level.home_goals)
        level.away_goals += tuning.level_step * (goals[1] - level.away_goals)
        _remember(home, goals, surprise, match.day, home.at_home)
        _remember(away, goals[::-1], -surprise, match.day, away.away)

    def _learn_shots(self, match: Played, home: Team, away: Team, level: Level, over: tuple[float, float]) -> None:
        """Move the shot ratings by shots, or half as much by goals (`over`: beyond the expected) without them."""
        tuning = self.tuning
        home_shots, away_shots = min(match.home_shots, _MOST_SHOTS), min(match.away_shots, _MOST_SHOTS)
        if math.isnan(home_shots) or math.isnan(away_shots):
            over_home, over_away = 0.5 * tuning.goal_step * over[0], 0.5 * tuning.goal_step * over[1]
        else:
            expected_home = level.home_shots * math.exp(home.shot_attack - away.shot_defence)
            expected_away = level.away_shots * math.exp(away.shot_attack - home.shot_defence)
            over_home = tuning.shot_step * (home_shots - expected_home) / tuning.shot_scale
            over_away = tuning.shot_step * (away_shots - expected_away) / tuning.shot_scale
            level.home_shots += tuning.level_step * (home_shots - level.home_shots)
            level.away_shots += tuning.level_step * (away_shots - level.away_shots)
        home.shot_attack += over_home
        away.shot_defence -= over_home
        away.shot_attack += over_away
        home.shot_defence -= over_away


def _remember(team: Team, goals: tuple[int, int], surprise: float, day: int, split: list[float]) -> None:
    points = 3 if goals[0] > goals[1] else 1 if goals[0] == goals[1] else 0
    team.recent.append((points, *goals))
    split.append(surprise)
    # The lists are shared with the team of the season before, which is not used again.
    del team.recent[:-_RECENT], split[:-_SPLIT]
    team.day = day
    team.played += 1
