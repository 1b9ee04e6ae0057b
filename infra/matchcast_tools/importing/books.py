"""The bookmaker of each odds column of a match file, in every era of the files."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
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
_ERA = {prefix: place for prefixes in BOOKS.values() for place, prefix in enumerate(prefixes)}
_OUTCOMES = ("H", "D", "A")
# Columns that end in H, D and A and are not three odds.
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
    """Return the odds columns of a header; an unknown bookmaker is named by its prefix in lower case.

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
    return sorted(triples, key=lambda triple: _ERA.get(triple.prefix, _ERA.get(triple.prefix.removesuffix("C"), 0)))


def parse_price(text: str) -> Price:
    """Return the price that a user names: `B365`, `PSC`, `bet365`, or `pinnacle-closing`.

    Raises
    ------
    BadInput
        If no bookmaker has this name or prefix.
    """
    wanted = text.strip()
    if wanted in _BY_PREFIX or wanted.removesuffix("C") in _BY_PREFIX:
        return _price(wanted)
    name = slug(wanted)
    if name.removesuffix("-closing") in BOOKS:
        return Price(name.removesuffix("-closing"), closing=name.endswith("-closing"))
    raise BadInput(
        f"No bookmaker is called {text!r}. Give a column prefix ({_listing(_BY_PREFIX)}), with a C at its end for "
        f"closing odds, or a name ({_listing(BOOKS)})."
    )


def _price(prefix: str, header: Container[str] = ()) -> Price:
    """Return the price of a prefix; a `C` at its end means closing odds where the header has the prefix without it."""
    before = prefix.removesuffix("C")
    closing = prefix != before and prefix not in _BY_PREFIX and (before in _BY_PREFIX or before + "H" in header)
    name = before if closing else prefix
    return Price(_BY_PREFIX.get(name) or slug(name) or name, closing=closing)


def _listing(names: Iterable[str]) -> str:
    return ", ".join(sorted(names, key=str.lower))
