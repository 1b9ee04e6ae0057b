"""Divisions of season files, extra leagues and the sample league: region, league, and the seasons of their dates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from matchcast.domain.match_id import slug

_SUMMER_MONTH, _LATEST_START = 7, 10
_ONE_SEASON = timedelta(days=365)
_BREAK, _LONG_BREAK = timedelta(days=21), timedelta(days=56)


@dataclass(frozen=True, slots=True)
class Division:
    """A competition: its code in match files, the region it belongs to, and its name."""

    code: str
    region: str
    league: str
    known: bool = True


_SEASON_FILES: dict[str, dict[str, str]] = {
    "England": {
        "E0": "Premier League",
        "E1": "Championship",
        "E2": "League One",
        "E3": "League Two",
        "EC": "National League",
    },
    "Scotland": {
        "SC0": "Scottish Premiership",
        "SC1": "Scottish Championship",
        "SC2": "Scottish League One",
        "SC3": "Scottish League Two",
    },
    "Germany": {"D1": "Bundesliga", "D2": "2. Bundesliga"},
    "Italy": {"I1": "Serie A", "I2": "Serie B"},
    "Spain": {"SP1": "La Liga", "SP2": "La Liga 2"},
    "France": {"F1": "Ligue 1", "F2": "Ligue 2"},
    "Netherlands": {"N1": "Eredivisie"},
    "Belgium": {"B1": "Pro League"},
    "Portugal": {"P1": "Primeira Liga"},
    "Turkey": {"T1": "Super Lig"},
    "Greece": {"G1": "Super League Greece"},
}

SAMPLE_DIVISIONS: dict[str, dict[str, str]] = {
    "Aldermark": {"AM1": "Aldermark Premier", "AM2": "Aldermark Second"},
    "Brennia": {"BN1": "Brennia First Division"},
    "Corvana": {"CV1": "Corvana Liga"},
}
"""The invented regions of the sample league; no real competition has these codes."""

_EXTRA_LEAGUES: dict[str, str] = {
    "Argentina": "ARG",
    "Austria": "AUT",
    "Brazil": "BRA",
    "China": "CHN",
    "Denmark": "DNK",
    "Finland": "FIN",
    "Ireland": "IRL",
    "Japan": "JPN",
    "Mexico": "MEX",
    "Norway": "NOR",
    "Poland": "POL",
    "Romania": "ROU",
    "Russia": "RUS",
    "Sweden": "SWE",
    "Switzerland": "SWZ",
    "USA": "USA",
}

CALENDAR_YEARS = frozenset({"ARG", "BRA", "CHN", "FIN", "IRL", "JPN", "NOR", "SWE", "USA"})
"""Extra leagues that mostly play from spring to autumn, in one calendar year."""

DIVISIONS: dict[str, Division] = {
    code: Division(code, region, league)
    for regions in (_SEASON_FILES, SAMPLE_DIVISIONS)
    for region, leagues in regions.items()
    for code, league in leagues.items()
}


def by_code(code: str) -> Division:
    """Return the division of a season file's `Div` cell; an unknown one is a region of its own."""
    found = DIVISIONS.get(code) or DIVISIONS.get(code.upper())
    return found or Division(code, region=code, league=code, known=False)


def by_country(country: str, league: str) -> Division:
    """Return the division of an extra league's `Country` and `League` cells."""
    code = _EXTRA_LEAGUES.get(country)
    if code is not None:
        return Division(code, country, league or country)
    made = slug(f"{country} {league}").upper() or country
    return Division(made, country, league or country, known=False)


def label_seasons(days: Iterable[date]) -> dict[date, str]:
    """Return the season (`2014/15`) of each date, at least one, of one division in one file.

    A new season begins after a break of three weeks in summer. Where all dates lie within one year it takes
    eight weeks, so that a season that a pandemic extended into August stays whole.
    """
    ordered = sorted(set(days))
    enough = _LONG_BREAK if ordered[-1] - ordered[0] < _ONE_SEASON else _BREAK
    labels: dict[date, str] = {}
    previous = first = ordered[0]
    for day in ordered:
        in_summer = _SUMMER_MONTH <= day.month <= _LATEST_START
        if (in_summer and day - previous >= enough) or day - previous >= _ONE_SEASON:
            first = day
        labels[day] = split_season(first)
        previous = day
    return labels


def split_season(day: date) -> str:
    """Return the season (`2014/15`) that a date falls into, where seasons begin in summer."""
    year = day.year if day.month >= _SUMMER_MONTH else day.year - 1
    return f"{year}/{(year + 1) % 100:02d}"
