"""Clubs, fixtures and results of the sample league, drawn from strengths that are not published."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from random import Random

_ALDERMARK = (
    "Aldermouth", "Ashcombe", "Barrowick", "Brackenford", "Caldstone", "Coppergate", "Dunmarrow", "Eastmere",
    "Fallowby", "Farrowdale", "Glenhollow", "Harkwell", "Hazelby", "Ironbridge Vale", "Kestrel Bay", "Larkhaven",
    "Millstead", "Northwyke", "Oakhurst Town", "Pellingham", "Quarrydown", "Ravenscar Hill", "Saltmarsh", "Thornley",
    "Underhill", "Westerby", "Wrenfield", "Yarrowton",
)  # fmt: skip
_BRENNIA = (
    "Altvar", "Borgesund", "Dravik", "Ekelholm", "Fjordal", "Grenvik", "Halsmark", "Isholm", "Kvernes", "Lindesund",
    "Morstad", "Nordvall", "Rosvik", "Skarhamn",
)  # fmt: skip
_CORVANA = (
    "Almoreda", "Bastiva", "Caldoro", "Dorvena", "Estrevia", "Florenza Mar", "Galvares", "Ibarosa", "Lunareda",
    "Montaverde", "Porto Vela", "Santoria",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SampleDivision:
    """The clubs that a division draws from, its share of them by strength, and how often a pair meets."""

    pool: tuple[str, ...]
    places: slice
    meetings: int
    goals: tuple[float, float]


SAMPLE_TEAMS: dict[str, SampleDivision] = {
    "AM1": SampleDivision(_ALDERMARK, slice(0, 16), 2, (1.52, 1.17)),
    "AM2": SampleDivision(_ALDERMARK, slice(16, 28), 2, (1.44, 1.14)),
    "BN1": SampleDivision(_BRENNIA, slice(0, 14), 2, (1.63, 1.30)),
    "CV1": SampleDivision(_CORVANA, slice(0, 12), 4, (1.40, 1.02)),
}
"""Two divisions of Aldermark share their clubs: the strongest of a season play in the first. `goals` are those
that two average clubs score at home and away."""

_WEEKS = 48
"""From the first round to the last one."""
_SATURDAY = 5
_SEASON_MEMORY = 0.7
_ROUND_MEMORY = 0.94
_CLUB_SPREAD, _SEASON_SPREAD, _ROUND_SPREAD = 0.24, 0.12, 0.035
# Day of the week's round and kick-off, by the share of matches that take place then.
_SLOTS = ((0.08, -1, "19:45"), (0.55, 0, "15:00"), (0.70, 0, "17:30"), (0.90, 1, "14:00"), (1.0, 1, "16:30"))
_MIDWEEK_EVERY = 7


@dataclass(frozen=True, slots=True)
class SampleMatch:
    """One match: when and who, the result, and the goals that its strengths let expect."""

    day: date
    time: str
    home: str
    away: str
    expected: tuple[float, float]
    goals: tuple[int, int]
    half_time: tuple[int, int]
    shots: tuple[int, int, int, int]
    key: str


def season_start(year: int) -> date:
    """Return the Saturday on which the season of a year begins: the first one from 15 July."""
    first = date(year, 7, 15)
    return first + timedelta(days=(_SATURDAY - first.weekday()) % 7)


def season_matches(division: str, year: int, seed: str) -> list[SampleMatch]:
    """Return a season's matches in the order of their dates; the same arguments give the same matches."""
    teams = _teams(division, year, seed)
    random = Random(f"{seed}/{division}/{year}")  # noqa: S311 - not for security
    order = sorted(teams, key=lambda _: random.random())
    rounds = _rounds(order, SAMPLE_TEAMS[division].meetings)
    form = dict.fromkeys(teams, 0.0)
    matches = []
    for number, pairs in enumerate(rounds):
        for team in order:
            form[team] = _ROUND_MEMORY * form[team] + _ROUND_SPREAD * _normal(random)
        week = season_start(year) + timedelta(weeks=round(number * _WEEKS / (len(rounds) - 1)))
        midweek = number % _MIDWEEK_EVERY == _MIDWEEK_EVERY - 1
        for home, away in pairs:
            strength = (teams[home] + form[home]) - (teams[away] + form[away])
            matches.append(_match(division, week, midweek=midweek, pair=(home, away), strength=strength, random=random))
    return sorted(matches, key=lambda match: (match.day, match.time, match.home))


def _match(
    division: str, week: date, *, midweek: bool, pair: tuple[str, str], strength: float, random: Random
) -> SampleMatch:
    share = random.random()
    shift, time = next((shift, time) for upto, shift, time in _SLOTS if share < upto)
    day = week + timedelta(days=4 if midweek else shift)
    base_home, base_away = SAMPLE_TEAMS[division].goals
    expected = base_home * math.exp(strength), base_away * math.exp(-strength)
    home, away = _poisson(random, expected[0]), _poisson(random, expected[1])
    on_target = [goals + _poisson(random, 1.0 + 1.9 * mean) for goals, mean in zip((home, away), expected, strict=True)]
    shots = [shot + _poisson(random, 3.5 + 2.4 * mean) for shot, mean in zip(on_target, expected, strict=True)]
    return SampleMatch(
        day=day,
        time="19:45" if midweek else time,
        home=pair[0],
        away=pair[1],
        expected=expected,
        goals=(home, away),
        half_time=(_first_half(random, home), _first_half(random, away)),
        shots=(shots[0], shots[1], on_target[0], on_target[1]),
        key=f"{division}/{day}/{pair[0]}/{pair[1]}",
    )


@lru_cache(maxsize=64)
def _teams(division: str, year: int, seed: str) -> dict[str, float]:
    """Return the strength of each club that plays in the division in this season, centred on zero."""
    spec = SAMPLE_TEAMS[division]
    strengths = {club: _strength(club, year, seed) for club in spec.pool}
    ranked = sorted(strengths, key=lambda club: (-strengths[club], club))[spec.places]
    mean = sum(strengths[club] for club in ranked) / len(ranked)
    return {club: strengths[club] - mean for club in ranked}


def _strength(club: str, year: int, seed: str) -> float:
    lasting = _CLUB_SPREAD * _normal(Random(f"{seed}/{club}"))  # noqa: S311
    changes = (_normal(Random(f"{seed}/{club}/{year - ago}")) * _SEASON_MEMORY**ago for ago in range(6))  # noqa: S311
    return lasting + _SEASON_SPREAD * sum(changes)


def _rounds(teams: Sequence[str], meetings: int) -> list[list[tuple[str, str]]]:
    """Return the rounds in which an even number of teams meet each other, by the circle method."""
    circle = list(teams)
    half = len(circle) // 2
    once = []
    for number in range(len(circle) - 1):
        pairs = list(zip(circle[:half], reversed(circle[half:]), strict=True))
        once.append(pairs if number % 2 == 0 else [(away, home) for home, away in pairs])
        circle = [circle[0], circle[-1], *circle[1:-1]]
    returned = [[(away, home) for home, away in pairs] for pairs in once]
    return (once + returned) * (meetings // 2)


def _normal(random: Random) -> float:
    """Return a standard normal number from two uniform ones (Box and Muller, 1958)."""
    return math.sqrt(-2 * math.log(1 - random.random())) * math.cos(2 * math.pi * random.random())


def _poisson(random: Random, mean: float) -> int:
    """Return a Poisson number by inversion of one uniform number."""
    left, probability, count = random.random(), math.exp(-mean), 0
    while left > probability and count < 60:
        left -= probability
        count += 1
        probability *= mean / count
    return count


def _first_half(random: Random, goals: int) -> int:
    return sum(random.random() < 0.45 for _ in range(goals))
