"""Ids of matches."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchcast.domain.match_id import is_match_id, make_match_id

DAY = date(2024, 8, 16)


@pytest.mark.parametrize(
    "word", ["batch", "async", "model", "predictions", "precomputed", "region-roi", "", "E0-2024-08-16-a-b", "e0-a-b"]
)
def test_reserved_words_and_dateless_slugs_are_no_ids(word: str) -> None:
    assert not is_match_id(word)


def test_ids_are_readable_slugs() -> None:
    assert make_match_id("E0", DAY, "Nott'm Forest", "Man United") == "e0-2024-08-16-nott-m-forest-man-united"


@given(
    division=st.text(max_size=30),
    day=st.dates(min_value=date(1888, 1, 1), max_value=date(2100, 1, 1)),
    home=st.text(max_size=150),
    away=st.text(max_size=150),
)
def test_every_match_has_a_valid_id_that_is_always_the_same(division: str, day: date, home: str, away: str) -> None:
    made = make_match_id(division, day, home, away)

    assert is_match_id(made)
    assert len(made) <= 120
    assert made == make_match_id(division, day, home, away)


def test_names_without_ascii_letters_still_distinguish_matches() -> None:
    assert make_match_id("RU", DAY, "Спартак", "Зенит") != make_match_id("RU", DAY, "Зенит", "Спартак")
