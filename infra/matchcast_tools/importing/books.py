"""Which bookmaker stands behind which columns of a match file, in every era of the files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matchcast.domain.match_id import slug
from matchcast_tools.errors import BadInput

BOOKS: dict[str, tuple[str, ...]] = {
    "fonbet": ("FON",),
    "bet365": ("B365",),
    "pinnacle": ("PS", "P"),
    "market-average": ("Avg", "BbAv"),
    "market-max": ("Max", "BbMx"),
    "1xbet": ("1XB",),
    "bet-victor": ("VC", "BV"),
    "betfair": ("BF",),
    "betfair-exchange": ("BFE",),
    "betfred": ("BFD",),
    "betmgm": ("BMGM",),
    "blue-square": ("BS",),
    "bwin": ("BW",),
    "coral": ("CL",),
    "gamebookers": ("GB",),
    "interwetten": ("IW",),
    "ladbrokes": ("LB",),
    "sporting-odds": ("SO",),
    "sportingbet": ("SB",),
    "stan-james": ("SJ",),
    "stanleybet": ("SY",),
    "william-hill": ("WH",),
}
"""Bookmaker to column prefixes, newest era first. `FON` + `H`, `D`, `A` are the odds before the match;
with a `C` in between (`FONCH`) they are the closing ones."""

_BY_PREFIX = {prefix: name for name, prefixes in BOOKS.items() for prefix in prefixes}
_OUTCOMES = ("H", "D", "A")
# Columns that end in H, D and A without being three odds.
_NO_BOOK = frozenset({"", "C"})


@dataclass(frozen=True, slots=True)
class Price:
    """One kind of odds: a bookmaker's before the match, or its closing ones."""

    bookmaker: str
    closing: bool = False

    def __str__(self) -> str:
        """Return `bet365`, or `bet365 (closing)`."""
        return f"{self.bookmaker} (closing)" if self.closing else self.bookmaker


@dataclass(frozen=True, slots=True)
class Triple:
    """The three columns of a header that hold one price."""

    prefix: str
    price: Price
    columns: tuple[int, int, int]


def find_triples(header: Sequence[str]) -> list[Triple]:
    """Return the odds columns of a header; a bookmaker that is not known goes by its prefix in lower case.

    Where a header names a bookmaker twice (`Avg` and `BbAv`), the newer era comes first.
    """
    position: dict[str, int] = {}
    for index, name in enumerate(header):
        position.setdefault(name, index)
    triples: list[Triple] = []
    for name in position:
        prefix = name[:-1]
        if not name.endswith("H") or prefix in _NO_BOOK or not all(prefix + end in position for end in _OUTCOMES):
            continue
        home, draw, away = (position[prefix + end] for end in _OUTCOMES)
        triples.append(Triple(prefix, _price(prefix, position), (home, draw, away)))
    return sorted(triples, key=lambda triple: _era(triple.prefix))


def parse_price(text: str) -> Price:
    """Return the price that a user names: `B365`, `PSC`, `bet365`, or `pinnacle-closing`.

    Raises
    ------
    BadInput
        If nothing goes by this name.
    """
    wanted = text.strip()
    if wanted in _BY_PREFIX:
        return Price(_BY_PREFIX[wanted])
    if wanted.endswith("C") and wanted[:-1] in _BY_PREFIX:
        return Price(_BY_PREFIX[wanted[:-1]], closing=True)
    name = slug(wanted)
    closing = name.endswith("-closing")
    name = name.removesuffix("-closing")
    if name in BOOKS:
        return Price(name, closing=closing)
    raise BadInput(
        f"No bookmaker is called {text!r}. Give a column prefix ({_listing(_BY_PREFIX)}), with a C at its end for "
        f"closing odds, or a name ({_listing(BOOKS)})."
    )


def _price(prefix: str, header: Iterable[str]) -> Price:
    if prefix in _BY_PREFIX:
        return Price(_BY_PREFIX[prefix])
    if prefix.endswith("C"):
        before = prefix[:-1]
        if before in _BY_PREFIX:
            return Price(_BY_PREFIX[before], closing=True)
        if before + "H" in header:
            return Price(slug(before) or before, closing=True)
    return Price(slug(prefix) or prefix)


def _era(prefix: str) -> int:
    """Return the place of a prefix among those of its bookmaker."""
    name = _BY_PREFIX.get(prefix) or _BY_PREFIX.get(prefix.removesuffix("C"))
    if name is None:
        return 0
    prefixes = BOOKS[name]
    return prefixes.index(prefix) if prefix in prefixes else prefixes.index(prefix.removesuffix("C"))


def _listing(names: Iterable[str]) -> str:
    return ", ".join(sorted(names, key=str.lower))
