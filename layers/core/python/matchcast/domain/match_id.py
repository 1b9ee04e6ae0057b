"""The stable id of a match: division, date, home and away as one slug."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import date

PATTERN = r"[a-z0-9][a-z0-9-]{5,119}"
_COMPILED = re.compile(PATTERN)
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}-")
MAX_LENGTH = 120


def is_match_id(text: str) -> bool:
    """Return whether `text` has the form of a match id (there may still be no such match).

    Examples
    --------
    >>> is_match_id("e0-2024-08-16-man-united-fulham"), is_match_id("predictions")
    (True, False)
    """
    return _COMPILED.fullmatch(text) is not None and _DATED.search(text) is not None


def slug(text: str) -> str:
    """Return `text` in lower case ASCII with every run of other characters as one hyphen.

    Examples
    --------
    >>> slug("Nott'm Forest"), slug("São Paulo")
    ('nott-m-forest', 'sao-paulo')
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")


def make_match_id(division: str, day: date, home_team: str, away_team: str) -> str:
    """Return the id of a match; the same match has the same id in every import.

    Where a name has no ASCII form, or the id would exceed 120 characters, the id ends in a digest of the
    original names, so that two different matches never share an id.

    Examples
    --------
    >>> make_match_id("E0", date(2024, 8, 16), "Man United", "Fulham")
    'e0-2024-08-16-man-united-fulham'
    """
    parts = [slug(division), day.isoformat(), slug(home_team), slug(away_team)]
    text = "-".join(part for part in parts if part)
    if all(parts) and len(text) <= MAX_LENGTH:
        return text
    names = f"{division}\n{home_team}\n{away_team}"
    digest = hashlib.sha256(names.encode()).hexdigest()[:12]
    head = f"{slug(division)[:20].strip('-') or 'x'}-{day.isoformat()}"
    tail = "-".join(part for part in (slug(home_team), slug(away_team)) if part)
    room = MAX_LENGTH - len(head) - len(digest) - 2
    return "-".join(part for part in (head, tail[:room].strip("-"), digest) if part)
