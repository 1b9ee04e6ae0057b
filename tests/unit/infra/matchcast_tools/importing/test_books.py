from __future__ import annotations

import pytest

from matchcast_tools.errors import BadInput
from matchcast_tools.importing.books import BOOKS, Price, find_triples, parse_price


def names(*prefixes: str) -> list[str]:
    return [prefix + outcome for prefix in prefixes for outcome in "HDA"]


def test_prefixes_of_both_eras_mean_the_same_bookmaker() -> None:
    found = {triple.prefix: triple.price for triple in find_triples(names("BbAv", "Avg", "AvgC", "BbMx", "MaxC"))}

    assert found["BbAv"] == found["Avg"] == Price("market-average")
    assert found["AvgC"] == Price("market-average", closing=True)
    assert found["BbMx"] == Price("market-max")
    assert found["MaxC"] == Price("market-max", closing=True)


def test_the_newer_era_comes_first_where_a_header_has_both() -> None:
    assert [triple.prefix for triple in find_triples(names("BbAv", "Avg"))] == ["Avg", "BbAv"]


def test_betfair_and_betfred_share_a_column_name_and_stay_apart() -> None:
    # GIVEN BFD is Betfair's draw and Betfred's prefix
    triples = {triple.price.bookmaker: triple for triple in find_triples(names("BF", "BFD", "BFE"))}

    assert triples["betfair"].columns == (0, 1, 2)
    assert triples["betfred"].columns == (3, 4, 5)
    assert triples["betfair-exchange"].columns == (6, 7, 8)


def test_handicaps_and_totals_are_no_match_odds() -> None:
    header = ["B365AHH", "B365AHA", "B365AH", "BbAHh", "B365>2.5", "B365<2.5", "AHh", "FTHG", "HTH", "H", "D", "A"]
    assert find_triples(header) == []


def test_an_unknown_bookmaker_goes_by_its_prefix() -> None:
    found = [triple.price for triple in find_triples(names("NEW", "NEWC"))]
    assert found == [Price("new"), Price("new", closing=True)]


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("B365", Price("bet365")),
        ("PSC", Price("pinnacle", closing=True)),
        ("FON", Price("fonbet")),
        ("bet365", Price("bet365")),
        ("pinnacle-closing", Price("pinnacle", closing=True)),
        ("BbMx", Price("market-max")),
    ],
)
def test_a_price_is_named_by_prefix_or_bookmaker(text: str, price: Price) -> None:
    assert parse_price(text) == price


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(BadInput, match=r"No bookmaker is called 'nobody'.*B365.*william-hill"):
        parse_price("nobody")


def test_no_prefix_belongs_to_two_bookmakers() -> None:
    prefixes = [prefix for own in BOOKS.values() for prefix in own]
    assert len(prefixes) == len(set(prefixes))
