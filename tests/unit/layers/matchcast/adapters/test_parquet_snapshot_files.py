"""Files that break the data contract are refused, and those that keep it are read whole and held in little memory."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from matchcast.adapters.parquet_snapshot import parse_snapshot
from matchcast.errors import ManifestInvalid
from matchcast.snapshots.parquet import as_parquet as parquet
from matchcast.snapshots.tables import Filters
from tests.support.snapshot_tables import ALL, loaded
from tests.support.snapshots import (
    BOOKMAKER,
    PREDICTIONS_SCHEMA,
    many_rows,
    odds_rows,
    prediction_rows,
    roi_rows,
    snapshot_files,
    snapshot_manifest,
)


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
