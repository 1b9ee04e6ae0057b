"""The sample league: invented clubs of invented countries, written as football-data season files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from matchcast_tools.sample.matches import SAMPLE_TEAMS, SampleMatch, season_matches, season_start
from matchcast_tools.sample.odds import CLOSING_COLUMNS, PREMATCH_COLUMNS, closing_cells, prematch_cells

SEED = "sample league"
_PAST_SEASONS = 4
_ODDS_KNOWN_FOR = timedelta(days=21)
"""How long before a match the sample's bookmakers offer odds."""
_NEXT_SEASON_KNOWN_FOR = timedelta(days=60)

_HEADER = (
    "Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,FTR,HTHG,HTAG,HTR,HS,AS,HST,AST,"
    + ",".join(PREMATCH_COLUMNS + CLOSING_COLUMNS)
    + "\r\n"
)


def sample_files(today: date | None = None, seed: str = SEED) -> dict[str, bytes]:
    """Return the sample league as it stands in the morning of a day: file name to CSV text as ASCII.

    Four seasons and the one in progress; matches before `today` (default: the present day) have results, later
    ones are fixtures, the next three weeks of them with odds. The files are the same byte for byte for the same
    day and seed, and a later day only adds to them.
    """
    today = date.today() if today is None else today  # noqa: DTZ011 - the local day is meant
    files = {}
    for first_year in _season_years(today):
        for division in SAMPLE_TEAMS:
            rows = [_row(division, match, today) for match in season_matches(division, first_year, seed)]
            name = f"{division}_{first_year % 100:02d}{(first_year + 1) % 100:02d}.csv"
            files[name] = (_HEADER + "".join(rows)).encode("ascii")
    return files


def write_sample(folder: Path, today: date | None = None) -> list[Path]:
    """Write the sample league into a folder and return the paths of its files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, body in sample_files(today).items():
        paths.append(folder / name)
        paths[-1].write_bytes(body)
    return paths


def _season_years(today: date) -> Iterator[int]:
    present = today.year if today >= season_start(today.year) else today.year - 1
    yield from range(present - _PAST_SEASONS, present + 1)
    if season_start(present + 1) - today <= _NEXT_SEASON_KNOWN_FOR:
        yield present + 1


def _row(division: str, match: SampleMatch, today: date) -> str:
    """Return the line of one match: a score if it is over, odds if they would be known."""
    played = match.day < today
    first = [division, f"{match.day:%d/%m/%Y}", match.time, match.home, match.away]
    score = [*_score(match.goals), *_score(match.half_time), *map(str, match.shots)] if played else [""] * 10
    before = prematch_cells(match) if match.day - today <= _ODDS_KNOWN_FOR else [""] * len(PREMATCH_COLUMNS)
    closing = closing_cells(match) if played else [""] * len(CLOSING_COLUMNS)
    return ",".join([*first, *score, *before, *closing]) + "\r\n"


def _score(goals: tuple[int, int]) -> tuple[str, str, str]:
    home, away = goals
    return str(home), str(away), "H" if home > away else "A" if home < away else "D"
