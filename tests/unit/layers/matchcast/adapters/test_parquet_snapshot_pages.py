"""A list is filtered, sorted and cut into pages without a gap or a repeat."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchcast.snapshots.tables import Filters, MatchList, Position, SnapshotTables
from tests.support.snapshot_tables import ALL, ids, in_order, items, loaded
from tests.support.snapshots import many_rows, prediction_rows


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (Filters(region="england"), 4),
        (Filters(region="ENGLAND"), 4),
        (Filters(region="engl"), 0),
        (Filters(league="la liga"), 2),
        (Filters(team="alder"), 3),
        (Filters(team="são pinho"), 1),
        (Filters(team='real "oak"'), 1),
        (Filters(team="alder", region="spain"), 1),
        (Filters(region="england", league="La Liga"), 0),
        (Filters(date_from=date(2026, 3, 8)), 4),
        (Filters(date_to=date(2026, 3, 7)), 3),
        (Filters(date_from=date(2026, 3, 8), date_to=date(2026, 3, 9)), 2),
        (Filters(date_from=date(2026, 3, 9), date_to=date(2026, 3, 8)), 0),
        (Filters(date_from=date(1, 1, 1), date_to=date(9999, 12, 31)), 7),
        (Filters(team="alder", date_from=date(2026, 3, 9)), 2),
    ],
)
def test_filters_keep_only_the_matches_that_they_describe(
    snapshot: SnapshotTables, filters: Filters, count: int
) -> None:
    page = snapshot.predictions.page(filters, None, 100)
    assert (page.total, len(items(page))) == (count, count)


def test_a_day_is_a_day_in_utc_from_its_first_to_its_last_millisecond() -> None:
    midnight = datetime(2026, 3, 9, tzinfo=UTC)
    moments = [midnight - timedelta(milliseconds=1), midnight, midnight + timedelta(days=1, milliseconds=-1)]
    rows = [{**prediction_rows()[0], "match_id": f"match-{n}", "kickoff": at} for n, at in enumerate(moments)]
    day = Filters(date_from=date(2026, 3, 9), date_to=date(2026, 3, 9))
    page = loaded(predictions=rows, odds=[]).predictions.page(day, None, 10)
    assert ids(items(page)) == ["match-1", "match-2"]


def walk(listing: MatchList, filters: Filters, limit: int) -> list[str]:
    found: list[str] = []
    after: Position | None = None
    while True:
        page = listing.page(filters, after, limit)
        found += ids(items(page))
        assert len(items(page)) <= limit
        if page.last is None:
            return found
        assert page.last[1] == found[-1]
        after = page.last


LARGE: dict[str, Any] = many_rows(500)


@pytest.fixture(scope="module")
def large() -> SnapshotTables:
    return loaded(**LARGE)


@given(
    limit=st.integers(1, 120),
    region=st.none() | st.sampled_from([f"region-{n}" for n in range(13)]),
    team=st.none() | st.sampled_from(["town 3", "City 8", "unknown"]),
    days=st.tuples(st.none() | st.integers(-2, 70), st.none() | st.integers(-2, 70)),
)
@settings(max_examples=60, deadline=None)
def test_pages_are_the_filtered_list_without_gaps_or_repeats(
    large: SnapshotTables,
    limit: int,
    region: str | None,
    team: str | None,
    days: tuple[int | None, int | None],
) -> None:
    # GIVEN a filter, and the matches that pass it
    start, stop = (None if day is None else date(2020, 1, 1) + timedelta(days=day) for day in days)
    filters = Filters(region=region, team=team, date_from=start, date_to=stop)
    expected = [
        row["match_id"]
        for row in in_order(LARGE["predictions"])
        if region in (None, row["region"])
        and (team is None or team.lower() in (row["home_team"].lower(), row["away_team"].lower()))
        and (start is None or row["kickoff"].date() >= start)
        and (stop is None or row["kickoff"].date() <= stop)
    ]

    # WHEN every list is read page by page
    # THEN
    for listing in (large.predictions, large.cards, large.odds):
        assert walk(listing, filters, limit) == expected
        assert listing.page(filters, None, limit).total == len(expected)


def test_a_position_goes_on_where_it_stood_after_its_match_has_gone() -> None:
    rows = in_order(prediction_rows())
    page = loaded().predictions.page(ALL, None, 2)
    assert page.last is not None
    without = loaded(predictions=[row for row in rows if row["match_id"] != page.last[1]])
    assert ids(items(without.predictions.page(ALL, page.last, 2))) == ids(rows[2:4])


def test_matches_of_one_kickoff_are_distinguished_by_their_ids(snapshot: SnapshotTables) -> None:
    assert len({row["kickoff"] for row in in_order(prediction_rows())[:3]}) == 1
    assert walk(snapshot.predictions, ALL, 1) == ids(in_order(prediction_rows()))
