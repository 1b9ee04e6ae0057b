from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchcast.adapters.json_columns import CodedColumn, JsonRows, NumberColumn
from matchcast.adapters.parquet_snapshot import parse_snapshot
from matchcast.errors import ManifestInvalid
from matchcast.snapshots.parquet import as_parquet as parquet
from matchcast.snapshots.tables import Filters, MatchList, Position, RowsPage, SnapshotTables
from tests.support.snapshots import (
    BOOKMAKER,
    MODEL,
    PREDICTIONS_SCHEMA,
    SNAPSHOT_ID,
    many_rows,
    odds_rows,
    prediction_rows,
    roi_rows,
    snapshot_files,
    snapshot_manifest,
)

ALL = Filters()


def loaded(*, bookmaker: str = BOOKMAKER, **rows: Any) -> SnapshotTables:
    files = snapshot_files(**rows)
    return parse_snapshot(snapshot_manifest(files), files, bookmaker=bookmaker)


def items(page: RowsPage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(b"[" + page.rows + b"]")
    return found


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["kickoff"], row["match_id"]))


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["match_id"] for row in rows]


@pytest.fixture(scope="module")
def snapshot() -> SnapshotTables:
    return loaded()


def test_predictions_show_their_display_columns_in_the_order_of_kickoff_and_id(snapshot: SnapshotTables) -> None:
    page = snapshot.predictions.page(ALL, None, 100)
    names = [name for name in PREDICTIONS_SCHEMA.names if not name.startswith(("model_", "as_of", "elo", "form"))]
    expected = [
        {**{name: row[name] for name in names}, "kickoff": f"{row['kickoff']:%Y-%m-%dT%H:%M:%SZ}"}
        for row in in_order(prediction_rows())
    ]
    assert items(page) == expected
    assert (page.total, page.last) == (7, None)


def test_one_match_shows_all_columns(snapshot: SnapshotTables) -> None:
    # GIVEN a published row
    row = prediction_rows()[3]

    # WHEN its match is looked up
    found = snapshot.match(row["match_id"])
    assert found is not None
    match = json.loads(found)

    # THEN
    assert match["model"] == MODEL.model_dump()
    assert match["snapshot_id"] == SNAPSHOT_ID
    assert match["as_of"] == "2026-02-27T12:00:00Z"
    assert match["features"] == {"elo_difference": pytest.approx(row["elo_difference"]), "form": row["form"]}
    assert match["home_team"] == row["home_team"]
    assert set(row) - set(match) == {"model_name", "model_version", "model_run_id", "elo_difference", "form"}


def test_an_unknown_match_is_none(snapshot: SnapshotTables) -> None:
    assert snapshot.match("e0-2026-03-07-alder-unknown") is None


def test_a_feature_has_as_many_digits_as_a_float32() -> None:
    rows = [{**prediction_rows()[0], "form": 0.1}]
    match = loaded(predictions=rows).match(rows[0]["match_id"])
    assert match is not None
    assert b'"form":0.1}' in match


def test_a_card_shows_the_bookmakers_odds_with_the_prediction(snapshot: SnapshotTables) -> None:
    # WHEN the card of a match is read
    [card] = items(snapshot.cards.page(Filters(team="birch", date_to=date(2026, 3, 7)), None, 10))

    # THEN every figure follows from the odds and the prediction
    home, draw, away = 2.1, 3.4, 3.6
    overround = 1 / home + 1 / draw + 1 / away
    assert (card["home_odds"], card["draw_odds"], card["away_odds"]) == (home, draw, away)
    assert (card["bookmaker"], card["taken_at"]) == (BOOKMAKER, "2026-03-01T11:00:00Z")
    assert card["overround"] == pytest.approx(overround, abs=1e-15)
    assert card["home_implied"] == pytest.approx(1 / home, abs=1e-15)
    assert card["draw_margin_free"] == pytest.approx(1 / draw / overround, abs=1e-15)
    assert sum(card[f"{side}_margin_free"] for side in ("home", "draw", "away")) == pytest.approx(1, abs=1e-12)
    assert (card["home_fair_odds"], card["away_fair_odds"]) == (2.0, 4.0)
    assert card["home_edge"] == pytest.approx(0.5 * home - 1, abs=1e-15)
    assert card["away_edge"] == pytest.approx(0.25 * away - 1, abs=1e-15)


def test_only_matches_with_odds_have_cards(snapshot: SnapshotTables) -> None:
    quoted = {row["match_id"] for row in odds_rows()}
    page = snapshot.cards.page(ALL, None, 100)
    assert ids(items(page)) == [row["match_id"] for row in in_order(prediction_rows()) if row["match_id"] in quoted]
    assert page.total == len(quoted) == 6


def test_an_impossible_outcome_has_no_fair_odds(snapshot: SnapshotTables) -> None:
    [card] = items(snapshot.cards.page(Filters(region="brazil"), None, 10))
    assert (card["home"], card["home_fair_odds"]) == (1.0, 1.0)
    assert (card["draw"], card["draw_fair_odds"], card["draw_edge"]) == (0.0, None, -1.0)


def test_odds_show_only_the_bookmakers_prices(snapshot: SnapshotTables) -> None:
    first = items(snapshot.odds.page(ALL, None, 1))[0]
    assert list(first) == ["match_id", "kickoff", "bookmaker", "taken_at", "home_odds", "draw_odds", "away_odds"]


def test_a_bookmaker_without_odds_has_empty_lists() -> None:
    snapshot = loaded(bookmaker="unknown")
    for listing in (snapshot.cards, snapshot.odds):
        assert listing.page(ALL, None, 100) == RowsPage(b"", 0, None)
    assert snapshot.predictions.page(ALL, None, 100).total == 7


def test_odds_of_another_bookmaker_or_of_an_unknown_match_are_left_out() -> None:
    mine, other = odds_rows()[0], odds_rows("elsewhere")[1]
    unknown = {**odds_rows()[2], "match_id": "e0-2026-03-07-no-body"}
    assert ids(items(loaded(odds=[mine, other, unknown]).odds.page(ALL, None, 10))) == [mine["match_id"]]


def test_empty_tables_give_empty_lists() -> None:
    snapshot = loaded(predictions=[], odds=[], region_roi=[])
    assert snapshot.predictions.page(ALL, None, 10) == RowsPage(b"", 0, None)
    assert snapshot.cards.page(Filters(region="england"), (0, ""), 10) == RowsPage(b"", 0, None)
    assert snapshot.region_roi.page(None) == RowsPage(b"", 0, None)


def test_region_roi_shows_its_rows_in_the_order_of_the_file(snapshot: SnapshotTables) -> None:
    found = items(snapshot.region_roi.page(None))
    assert [row["region"] for row in found] == ["brazil", "england", "spain", "all"]
    assert found[0] == {**roi_rows()[0]}
    assert (found[1]["from"], found[1]["to"], found[1]["bets"]) == ("2025-08-16", "2026-02-28", 100)


@pytest.mark.parametrize(("region", "count"), [("SPAIN", 1), ("spa", 0), ("", 0)])
def test_region_roi_of_one_region(snapshot: SnapshotTables, region: str, count: int) -> None:
    page = snapshot.region_roi.page(region)
    assert (page.total, len(items(page))) == (count, count)


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


def changed(**change: Any) -> dict[str, Any]:
    first, *rest = prediction_rows()
    return {"predictions": [{**first, **change}, *rest]}


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (changed(home=float("nan")), "probabilities"),
        (changed(home=float("inf")), "probabilities"),
        (changed(home=-0.1), "probabilities"),
        (changed(home=0.9), "probabilities"),
        (changed(region=None), "'region'.*empty"),
        (changed(kickoff=None), "'kickoff'.*empty"),
        (changed(home=None), "'home'.*empty"),
        ({"predictions": [*prediction_rows(), prediction_rows()[0]]}, "twice"),
        ({"odds": [{**odds_rows()[0], "home": 1.0}]}, "above 1"),
        ({"odds": [{**odds_rows()[0], "draw": float("nan")}]}, "above 1"),
        ({"odds": [{**odds_rows()[0], "bookmaker": None}]}, "'bookmaker'.*empty"),
        ({"region_roi": [{**roi_rows()[0], "region": None}]}, "'region'.*empty"),
    ],
)
def test_rows_that_break_the_data_contract_are_refused(rows: dict[str, Any], reason: str) -> None:
    with pytest.raises(ManifestInvalid, match=reason):
        loaded(**rows)


@pytest.mark.parametrize("name", ["predictions.parquet", "odds.parquet", "region_roi.parquet"])
@pytest.mark.parametrize("body", [b"", b"PAR1", b"no parquet at all" * 100])
def test_a_file_that_is_no_parquet_is_refused(name: str, body: bytes) -> None:
    files = {**snapshot_files(), name: body}
    with pytest.raises(ManifestInvalid, match=name):
        parse_snapshot(snapshot_manifest(files), files, bookmaker=BOOKMAKER)


@pytest.mark.parametrize("position", range(4, 900, 97))
def test_a_damaged_file_is_refused_or_read_but_never_crashes_the_reader(position: int) -> None:
    # GIVEN a file with one wrong byte
    files = snapshot_files()
    damaged = bytearray(files["predictions.parquet"])
    damaged[-position] ^= 0xFF
    files["predictions.parquet"] = bytes(damaged)

    # WHEN it is parsed
    # THEN it is refused, or all its rows are there
    try:
        snapshot = parse_snapshot(snapshot_manifest(files), files, bookmaker=BOOKMAKER)
    except ManifestInvalid:
        return
    assert snapshot.predictions.page(ALL, None, 10).total == 7


def predictions_table() -> pa.Table:
    return pa.Table.from_pylist(prediction_rows(), PREDICTIONS_SCHEMA)


def with_column(name: str, values: pa.Array) -> pa.Table:
    table = predictions_table()
    return table.set_column(table.column_names.index(name), name, values)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (predictions_table().drop_columns(["pick"]), "no column 'pick'"),
        (with_column("home", pa.array(["a"] * 7)), "'home'.*string"),
        (with_column("kickoff", pa.array([1] * 7)), "'kickoff'.*int64"),
        (with_column("region", pa.array([1] * 7)), "'region'.*int64"),
        (with_column("form", pa.array(["a"] * 7)), "form"),
    ],
)
def test_columns_of_another_schema_are_refused(table: pa.Table, reason: str) -> None:
    files = {**snapshot_files(), "predictions.parquet": parquet(table)}
    with pytest.raises(ManifestInvalid, match=reason):
        parse_snapshot(snapshot_manifest(files), files, bookmaker=BOOKMAKER)


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string(), pa.dictionary(pa.int8(), pa.large_string())])
def test_texts_may_be_stored_in_any_way(kind: pa.DataType) -> None:
    texts = [row["region"] for row in prediction_rows()]
    files = {**snapshot_files(), "predictions.parquet": parquet(with_column("region", pa.array(texts).cast(kind)))}
    snapshot = parse_snapshot(snapshot_manifest(files), files, bookmaker=BOOKMAKER)
    assert snapshot.predictions.page(Filters(region="spain"), None, 10).total == 2


def test_several_row_groups_are_one_table() -> None:
    import io

    import pyarrow.parquet as pq

    # GIVEN a file of several row groups
    sink = io.BytesIO()
    pq.write_table(predictions_table(), sink, row_group_size=2)
    files = {**snapshot_files(), "predictions.parquet": sink.getvalue()}

    # WHEN it is parsed
    snapshot = parse_snapshot(snapshot_manifest(files), files, bookmaker=BOOKMAKER)

    # THEN
    assert snapshot.predictions.page(ALL, None, 100) == loaded().predictions.page(ALL, None, 100)


def test_rows_are_one_buffer_of_about_their_own_size() -> None:
    # orjson's bytes keep a kilobyte each; 20,000 of them would hold many times what the rows need.
    import tracemalloc

    # GIVEN a large snapshot, parsed once so that the libraries hold what they keep anyway
    files = snapshot_files(**many_rows(2000))
    manifest = snapshot_manifest(files)
    parse_snapshot(manifest, files, bookmaker=BOOKMAKER).cards.page(ALL, None, 1)

    # WHEN it is parsed and read
    tracemalloc.start()
    snapshot = parse_snapshot(manifest, files, bookmaker=BOOKMAKER)
    size = len(snapshot.predictions.page(ALL, None, 2000).rows) + len(snapshot.cards.page(ALL, None, 2000).rows)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # THEN
    assert held < 2 * size


@given(texts=st.lists(st.text() | st.none(), min_size=1))
def test_any_text_is_written_as_the_json_that_it_is(texts: list[str | None]) -> None:
    values = list(dict.fromkeys(texts))
    column = CodedColumn(values, np.asarray([values.index(text) for text in texts], dtype=np.int32))
    rows = JsonRows({'a "%b" key': column, "b": NumberColumn(np.arange(len(texts)) / 2)})
    expected = [{'a "%b" key': text, "b": row / 2} for row, text in enumerate(texts)]
    assert orjson.loads(b"[" + rows.span(0, len(rows)) + b"]") == expected
    assert orjson.loads(b"[" + rows.pick(np.array([len(texts) - 1, 0], np.int64)) + b"]") == [expected[-1], expected[0]]
