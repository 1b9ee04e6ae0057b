"""Clubs behind their names: spellings of one club are one club, and new names that look like an old one are found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import SequenceMatcher
from functools import lru_cache

import pyarrow as pa

from matchcast.domain.match_id import slug

ALIASES: dict[str, dict[str, str]] = {
    "Poland": {"gornikz": "gornikzabrze"},
}
"""By region, the key of a name to the key of the name that stands for the club. Accents, case, spaces and hyphens
make no difference to a key (`Ham-Kam` and `HamKam` are one), so only other spellings are listed."""

_GONE_FOR = timedelta(days=2 * 365)
"""A club that was away for longer is not looked for under a new name."""
_ALIKE = 0.85
_SHARED = 4
"""How many letters a word needs to identify a club."""


@dataclass(frozen=True, slots=True)
class Rename:
    """A team that appears when one with a name like it has vanished: perhaps the same club."""

    region: str
    team: str
    first: date
    like: str
    last: date


@lru_cache(maxsize=50_000)
def team_key(region: str, name: str) -> str:
    """Return what identifies a club of a region, whatever the spelling of its name.

    Examples
    --------
    >>> team_key("Norway", "Ham-Kam") == team_key("Norway", "HamKam")
    True
    """
    key = slug(name).replace("-", "") or name
    return ALIASES.get(region, {}).get(key, key)


def club_keys(matches: pa.Table) -> set[tuple[str, str]]:
    """Return the region and the key of each club."""
    return {(region, team_key(region, name)) for region, name, _, _ in _spans(matches)}


def find_renames(known: Container[tuple[str, str]], matches: pa.Table) -> list[Rename]:
    """Return the clubs that are not known yet and look like one that vanished before they came."""
    regions: dict[str, dict[str, tuple[str, date, date]]] = defaultdict(dict)
    for region, name, first, last in sorted(_spans(matches), key=lambda span: span[3]):
        key = team_key(region, name)
        earlier = regions[region].get(key)
        regions[region][key] = name, min(first, earlier[1]) if earlier else first, last
    found = []
    for region, teams in sorted(regions.items()):
        for key, (name, first, _) in teams.items():
            if (region, key) in known:
                continue
            for other, _, last in teams.values():
                if last < first <= last + _GONE_FOR and looks_like(name, other):
                    found.append(Rename(region, name, first, other, last))
    return found


def looks_like(name: str, other: str) -> bool:
    """Return whether two names may be those of one club: one shortens the other, or few letters differ.

    Examples
    --------
    >>> looks_like("Gornik Z.", "Gornik Zabrze"), looks_like("Dundee", "Derby")
    (True, False)
    """
    words, others = slug(name).split("-"), slug(other).split("-")
    if len(words) == len(others):
        shortened = all(a.startswith(b) or b.startswith(a) for a, b in zip(words, others, strict=True))
        if shortened and max(min(len(a), len(b)) for a, b in zip(words, others, strict=True)) >= _SHARED:
            return True
    few, many = sorted((set(words), set(others)), key=len)
    if few < many and max(map(len, few)) >= _SHARED:
        return True
    return SequenceMatcher(None, "".join(words), "".join(others)).ratio() >= _ALIKE


def _spans(matches: pa.Table) -> Iterable[tuple[str, str, date, date]]:
    """Return each name of each region with the dates of its first and last match."""
    columns = ("region", "team", "date")
    sides = [matches.select(["region", side, "date"]).rename_columns(columns) for side in ("home_team", "away_team")]
    grouped = pa.concat_tables(sides).group_by(["region", "team"]).aggregate([("date", "min"), ("date", "max")])
    return zip(*(grouped[name].to_pylist() for name in ("region", "team", "date_min", "date_max")), strict=True)
