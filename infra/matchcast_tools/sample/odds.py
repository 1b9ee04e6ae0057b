"""The odds of the sample league's bookmakers: the true probabilities with an error and a margin."""

from __future__ import annotations

import math
from random import Random

from matchcast_tools.sample.matches import SampleMatch

# Prefix, margin, own error (of the logarithm of expected goals).
_BEFORE = (("FON", 0.065, 0.05), ("B365", 0.052, 0.04), ("PS", 0.028, 0.03))
_AT_KICKOFF = (("B365C", 0.050, 0.03), ("PSC", 0.026, 0.01))
_MARKET_ERROR_BEFORE, _MARKET_ERROR_AT_KICKOFF = 0.07, 0.03
_NO_ODDS, _NO_FON = 0.01, 0.05
_GOALS = 12
_TOP = 10.0

PREMATCH_COLUMNS = [
    prefix + outcome for prefix in (*(book for book, _, _ in _BEFORE), "Max", "Avg") for outcome in "HDA"
]
CLOSING_COLUMNS = [prefix + outcome for prefix, _, _ in _AT_KICKOFF for outcome in "HDA"]


def prematch_cells(match: SampleMatch) -> list[str]:
    """Return the odds before the match as cells; one match in a hundred has none, one in twenty no FON."""
    random = Random(f"before/{match.key}")  # noqa: S311 - not for security
    if random.random() < _NO_ODDS:
        return [""] * len(PREMATCH_COLUMNS)
    without_fon = random.random() < _NO_FON
    market = _MARKET_ERROR_BEFORE * _uniform(random)
    offers = [_offer(match.expected, market + error * _uniform(random), margin) for _, margin, error in _BEFORE]
    shown = offers[1:] if without_fon else offers
    best = [max(column) for column in zip(*shown, strict=True)]
    average = [sum(column) / len(shown) for column in zip(*shown, strict=True)]
    cells = [f"{odds:.2f}" for offer in (*offers, best, average) for odds in offer]
    return ["", "", "", *cells[3:]] if without_fon else cells


def closing_cells(match: SampleMatch) -> list[str]:
    """Return the odds at kick-off as cells."""
    if Random(f"before/{match.key}").random() < _NO_ODDS:  # noqa: S311
        return [""] * len(CLOSING_COLUMNS)
    random = Random(f"kick-off/{match.key}")  # noqa: S311
    market = _MARKET_ERROR_AT_KICKOFF * _uniform(random)
    offers = [_offer(match.expected, market + error * _uniform(random), margin) for _, margin, error in _AT_KICKOFF]
    return [f"{odds:.2f}" for offer in offers for odds in offer]


def _offer(expected: tuple[float, float], error: float, margin: float) -> list[float]:
    """Return decimal odds above 1 with a margin, from expected goals that are off by an error."""
    chances = _chances(expected[0] * math.exp(error), expected[1] * math.exp(-error))
    odds = [1 / (chance * (1 + margin)) for chance in chances]
    return [max(1.01, round(price, 1 if price > _TOP else 2)) for price in odds]


def _chances(home: float, away: float) -> tuple[float, float, float]:
    """Return the probabilities of a home win, a draw and an away win when goals are independent Poisson numbers."""
    home_goals, away_goals = _poisson_row(home), _poisson_row(away)
    draw = sum(h * a for h, a in zip(home_goals, away_goals, strict=True))
    home_wins = sum(h * sum(away_goals[:goals]) for goals, h in enumerate(home_goals))
    return home_wins, draw, 1 - home_wins - draw


def _poisson_row(mean: float) -> list[float]:
    row = [math.exp(-mean)]
    for goals in range(1, _GOALS):
        row.append(row[-1] * mean / goals)
    return row


def _uniform(random: Random) -> float:
    """Return a number of mean 0 and standard deviation 1."""
    return (2 * random.random() - 1) * math.sqrt(3)
