"""Any rows: the same in every format, however they are cut, and judged as single requests are."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from hypothesis import event, given, settings
from hypothesis import strategies as st

from matchcast.domain.signature import Signature
from matchcast.errors import InvalidRequest
from tests.support.batch_inputs import (
    ARROW,
    GOOD,
    KNOWN_MATCH,
    OTHER_MATCH,
    SIGNATURE,
    read,
    read_one,
    same,
    write_csv,
    write_jsonl,
    write_parquet,
)
from tests.support.examples import examples

NUMBERS = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**63), 2**63 - 1).map(float))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "elo": NUMBERS | st.sampled_from([3.4028234663852886e38, 3.4028235677973366e38, -0.0]),
    "rest/days": st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1]),
    "derby": st.booleans(),
    "form": NUMBERS,
}
ID_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=5)
ROW = st.fixed_dictionaries(
    {},
    optional={
        "custom_id": ID_TEXT | st.just("x" * 300),
        "match_id": st.sampled_from([KNOWN_MATCH, OTHER_MATCH, "e0-2030-01-01-a-b", "none"]),
        **VALUES,
    },
)
COLUMNS = ("custom_id", "match_id", *SIGNATURE.names)


@given(st.lists(ROW | st.just(GOOD), min_size=1, max_size=12), st.integers(1, 13), st.integers(1, 5))
@settings(max_examples=examples(60), deadline=None)
def test_the_three_formats_give_the_same_rows_however_they_are_cut(
    rows: list[dict[str, Any]], chunk_rows: int, group_rows: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        # GIVEN the same rows in each format
        folder = Path(name)
        types = {column.name: ARROW[column.type] for column in SIGNATURE.inputs} | dict.fromkeys(COLUMNS[:2], "string")
        table = {column: [row.get(column) for row in rows] for column in COLUMNS}
        paths = [
            write_jsonl(folder, rows),
            write_csv(folder, rows, COLUMNS),
            write_parquet(folder, table, types=types, row_group_size=group_rows),
        ]

        # WHEN they are read in chunks
        whole = read(paths[0])
        cut = [read(path, chunk_rows=chunk_rows) for path in paths]

    # THEN
    event(f"wrong rows: {len(whole[0].errors) > 0}")
    assert len(whole[0]) == len(rows)
    for chunks in cut:
        assert same(chunks, whole)
        assert {len(chunk) for chunk in chunks[:-1]} <= {chunk_rows}
        assert all(np.isnan(chunk.values[row - chunk.first]).all() for chunk in chunks for row in chunk.errors)


ANY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**64),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([2**31 - 1, 2**31, -(2**31), 3.4028234663852886e38, 3.4028235677973366e38, 2**63, 2**63 - 1]),
    st.text(max_size=3),
    st.just([1]),
)


@given(st.lists(st.fixed_dictionaries({name: VALUES[name] | ANY for name in VALUES}), min_size=1, max_size=8))
@settings(max_examples=examples(100), deadline=None)
def test_rows_are_judged_as_single_requests_are(rows: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        chunk = read_one(write_jsonl(Path(name), rows))
    for number, row in enumerate(rows):
        # WHEN a request has the features of the row, without those that are null
        features = {key: value for key, value in row.items() if value is not None}
        expected: Any
        try:
            expected = np.array(_row(SIGNATURE, features), dtype=np.float32)
        except InvalidRequest as error:
            expected = str(error.errors[0].pointer)

        # THEN
        if isinstance(expected, str):
            assert chunk.errors[number].pointer == (expected if features else "")
        else:
            assert number not in chunk.errors
            np.testing.assert_array_equal(chunk.values[number], expected)


def _row(signature: Signature, features: dict[str, Any]) -> list[float]:
    return signature.row(orjson.loads(json.dumps(features)), at="")
