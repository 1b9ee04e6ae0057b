"""Match files as tests need them: well-formed ones, and ones with every quirk that real files have."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest
from hypothesis import strategies as st

SEASON_HEADER = ("Div", "Date", "HomeTeam", "AwayTeam", "FTHG", "FTAG", "FTR", "B365H", "B365D", "B365A")
EXTRA_HEADER = (
    *("Country", "League", "Season", "Date", "Time", "Home", "Away", "HG", "AG", "Res"),
    *("PSCH", "PSCD", "PSCA"),
)
ODDS = ("2.10", "3.30", "3.60")


def season_row(
    day: str = "16/08/2014",
    home: str = "Arsenal",
    away: str = "Crystal Palace",
    score: tuple[object, object] = (2, 1),
    *,
    division: str = "E0",
    odds: Sequence[str] = ODDS,
) -> dict[str, str]:
    """Return the cells of a row of a season file by column name."""
    home_goals, away_goals = score
    return {
        "Div": division,
        "Date": day,
        "HomeTeam": home,
        "AwayTeam": away,
        "FTHG": str(home_goals),
        "FTAG": str(away_goals),
        "FTR": _letter(home_goals, away_goals),
        **dict(zip(("B365H", "B365D", "B365A"), odds, strict=True)),
    }


def fixture_row(
    day: str = "16/08/2014", home: str = "Arsenal", away: str = "Crystal Palace", division: str = "E0"
) -> dict[str, str]:
    """Return the cells of a match that is not played yet."""
    return season_row(day, home, away, ("", ""), division=division)


def extra_row(
    day: str = "19/05/2012",
    home: str = "Palmeiras",
    away: str = "Portuguesa",
    score: tuple[object, object] = (1, 1),
    *,
    season: str = "2012",
    country: str = "Brazil",
    time: str = "22:30",
) -> dict[str, str]:
    """Return the cells of a row of an extra league by column name."""
    names = ("Country", "League", "Season", "Date", "Time", "Home", "Away", "HG", "AG", "Res", "PSCH", "PSCD", "PSCA")
    cells = (country, "Serie A", season, day, time, home, away, str(score[0]), str(score[1]), _letter(*score), *ODDS)
    return dict(zip(names, cells, strict=True))


def csv_text(rows: Sequence[Mapping[str, str] | str], header: Sequence[str] = SEASON_HEADER, end: str = "\r\n") -> str:
    """Return a file's text; a row that is a string is a line of its own."""
    lines = [",".join(header)]
    lines += [row if isinstance(row, str) else ",".join(row.get(name, "") for name in header) for row in rows]
    return end.join(lines) + end


def csv_bytes(
    rows: Sequence[Mapping[str, str] | str],
    header: Sequence[str] = SEASON_HEADER,
    encoding: str = "ascii",
    end: str = "\r\n",
) -> bytes:
    """Return a file's bytes."""
    return csv_text(rows, header, end).encode(encoding)


def zip_bytes(members: Mapping[str, bytes]) -> bytes:
    """Return a zip archive with these members."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return body.getvalue()


def write(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files into a folder and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in files]
    for path, body in zip(paths, files.values(), strict=True):
        path.write_bytes(body)
    return paths


@dataclass(slots=True)
class League:
    """A round robin of teams in which the first of the list mostly win: enough to learn from."""

    division: str = "E0"
    teams: Sequence[str] = ("Alpha", "Bravo", "Charlie", "Delta")
    seasons: Sequence[int] = (2014, 2015)
    rows: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for year in self.seasons:
            pairs = [(home, away) for home in self.teams for away in self.teams if home != away]
            for number, (home, away) in enumerate(pairs):
                day = date.fromordinal(date(year, 8, 16).toordinal() + 7 * (number // 2))
                better = self.teams.index(home) < self.teams.index(away)
                score = ((number + year) % 3 + 1, number % 2) if better else (number % 2, (number + year) % 3)
                self.rows.append(season_row(f"{day:%d/%m/%Y}", home, away, score, division=self.division))

    def files(self) -> dict[str, bytes]:
        """Return all of it as one file."""
        return {f"{self.division}.csv": csv_bytes(self.rows)}


def real_data() -> Path:
    """Return the folder of real match files, or skip the test with the reason."""
    named = os.environ.get("MATCHCAST_REAL_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2].parent / "shared" / "data" / "football"
    if not folder.is_dir():
        pytest.skip("real match files are not here; name their folder in MATCHCAST_REAL_DATA")
    return folder


def _letter(home: object, away: object) -> str:
    if not isinstance(home, int) or not isinstance(away, int):
        return ""
    return "H" if home > away else "A" if home < away else "D"


@dataclass(frozen=True, slots=True)
class Quirky:
    """A generated file: its bytes, the date of every pair of teams that was written into it, and its lines."""

    body: bytes
    days: Mapping[tuple[str, str], date]
    lines: int


@st.composite
def quirky_files(draw: st.DrawFn) -> Quirky:
    """Generate season files with every quirk in any combination; teams are drawn so that no pair comes twice."""
    first, second = ("HT", "AT") if draw(st.booleans()) else ("HomeTeam", "AwayTeam")
    header = ["Div", "Date", "Time", first, second, "FTHG", "FTAG", "FTR", "HTHG", "HTAG"]
    header += draw(st.sampled_from([[], ["B365H", "B365D", "B365A"], ["LB", "LB", "LB"], ["", "PSCH", "PSCD", "PSCA"]]))
    header += draw(st.sampled_from([[], ["", ""], ["HS", "AS"], ["Referee", "Referee"]]))
    separator = draw(st.sampled_from([",", ",", ";", "\t"]))
    days: dict[tuple[str, str], date] = {}
    lines = [separator.join(header)]
    for number in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from(["match"] * 6 + ["blank", "noise", "header", "again"]))
        if kind == "match":
            day = draw(st.dates(date(1993, 7, 1), date(2030, 6, 30)))
            home, away = f"{draw(_team)} {number}", f"{draw(_team)} {number}b"
            lines.append(separator.join(draw(_row(header, day, home, away))))
            days[home, away] = day
        elif kind == "again" and len(lines) > 1:
            lines.append(draw(st.sampled_from(lines[1:])))
        elif kind == "header":
            lines.append(lines[0])
        else:
            noise = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\x00\x85"), max_size=40)
            lines.append(separator * draw(st.integers(0, 30)) if kind == "blank" else draw(noise))
    text = draw(st.sampled_from(["\r\n", "\n", "\r\r\n"])).join(lines)
    body = text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "cp1252"])), errors="replace")
    if draw(st.booleans()) and body.isascii():
        body = body.decode().encode("utf-8-sig").decode("latin-1").encode("utf-8")
    return Quirky(body, days, len(lines))


_team = st.sampled_from(["Arsenal", "São Paulo", "Köln", "Nott'm Forest", "\xa0Fulham", "St. Étienne", "1860 München"])
_goals = st.sampled_from(["0", "1", "3", " 2", "2.0", "", "", "x", "-1", "#REF!"])
_number = st.one_of(
    st.floats(1.01, 30).map(lambda odds: f"{odds:.2f}"), st.sampled_from(["", "0", "1", "evens", "#N/A", "\xa0"])
)


@st.composite
def _row(draw: st.DrawFn, header: Sequence[str], day: date, home: str, away: str) -> list[str]:
    """Draw the cells of one match: short, long or whole, with odd cells where numbers and times belong."""
    pattern = draw(st.sampled_from(["%d/%m/%Y", "%d/%m/%y", "%d-%m-%Y", "%Y-%m-%d"]))
    cells = ["E0", day.strftime(pattern), draw(st.sampled_from(["", "20:00", "late"])), home, away]
    cells += [draw(_goals), draw(_goals), draw(st.sampled_from(["", "H", "D", "A", "?"]))]
    cells += [draw(_number) for _ in header[len(cells) :]]
    cells += draw(st.sampled_from([[], [], ["", "", ""], ["1.5", "x"], ["7"] * 12]))
    return cells[: draw(st.sampled_from([len(cells), len(cells), 5, 7]))]
