"""Rows of inputs: ids, features of matches, columns, and limits; the same in every format."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matchcast.errors import InputRefused
from tests.support.batch_inputs import (
    GOOD,
    KNOWN_MATCH,
    OTHER_MATCH,
    SIGNATURE,
    TABLE,
    read,
    read_one,
    same,
    write_csv,
    write_jsonl,
    write_parquet,
    write_text,
    wrong,
)


def test_rows_have_the_order_of_the_signature_and_their_own_ids(tmp_path: Path) -> None:
    chunk = read_one(write_jsonl(tmp_path, [{"custom_id": "a", **GOOD}, {**GOOD, "form": None, "derby": False}]))
    assert chunk.values.dtype == np.float32
    assert chunk.values[0].tolist() == [1500.5, 3, 1, 0.25]
    assert chunk.values[1].tolist()[:3] == [1500.5, 3, 0]
    assert math.isnan(chunk.values[1, 3])
    assert (chunk.custom_ids, chunk.match_ids, chunk.errors) == (["a", None], [None, None], {})


def test_matches_have_the_features_of_the_snapshot_in_the_order_of_the_signature(tmp_path: Path) -> None:
    # WHEN rows name matches: known, twice, unknown, and of no form
    ids = [OTHER_MATCH, KNOWN_MATCH, "e0-2030-01-01-a-b", OTHER_MATCH, "predictions", 7]
    chunk = read_one(write_jsonl(tmp_path, [{"match_id": each} for each in ids]))

    # THEN
    assert chunk.values[[0, 1, 3]].tolist() == [[1700, 5, 0, 0.75], [1600, 4, 1, 0.5], [1700, 5, 0, 0.75]]
    assert wrong(chunk) == dict.fromkeys([2, 4, 5], ("match-not-found", "/match_id"))
    assert np.isnan(chunk.values[[2, 4, 5]]).all()
    assert chunk.match_ids == [OTHER_MATCH, KNOWN_MATCH, "e0-2030-01-01-a-b", OTHER_MATCH, None, None]


def test_with_both_the_features_count_and_the_id_is_kept(tmp_path: Path) -> None:
    # WHEN rows have an id and features, an id alone, some features, neither, and a label that is no id
    rows: list[dict[str, Any]] = [
        {"match_id": KNOWN_MATCH, **GOOD},
        {"match_id": KNOWN_MATCH},
        {"match_id": KNOWN_MATCH, "elo": 1.0, "derby": True},
        {"custom_id": "x"},
        {"match_id": "my match", **GOOD},
    ]
    csv = read_one(write_csv(tmp_path, rows, ["custom_id", "match_id", *SIGNATURE.names]))

    # THEN
    assert csv.values[:2].tolist() == [[1500.5, 3, 1, 0.25], [1600, 4, 1, 0.5]]
    assert wrong(csv) == {
        2: ("invalid-row", "/rest~1days"),
        3: ("invalid-row", ""),
        4: ("invalid-row", "/match_id"),
    }
    assert csv.match_ids[:3] == [KNOWN_MATCH] * 3
    assert same([csv], read(write_jsonl(tmp_path, rows)))


def test_a_snapshot_is_needed_by_rows_with_matches_alone(tmp_path: Path) -> None:
    # GIVEN no snapshot, and one that lacks features
    poor = dataclasses.replace(TABLE, columns=("form", "x", "y", "z", "rest/days"))
    own = write_jsonl(tmp_path, [GOOD], "own.jsonl")
    matches = write_jsonl(tmp_path, [GOOD, {"match_id": KNOWN_MATCH}], "matches.jsonl")

    # WHEN rows have features of their own
    # THEN
    assert read_one(own, features=None).errors == read_one(own, features=poor).errors == {}

    # WHEN a row names a match
    # THEN
    with pytest.raises(InputRefused, match="No snapshot"):
        read(matches, features=None)
    with pytest.raises(InputRefused, match="lacks features that the model needs: 'elo', 'derby'"):
        read(matches, features=poor)


@pytest.mark.parametrize(
    ("custom_id", "read_as"),
    [
        ("x" * 256, "x" * 256),
        ("é😀 \u200d", "é😀 \u200d"),
        (12, "12"),
        ("", None),
        ("x" * 257, "/custom_id"),
        ("a\nb", "/custom_id"),
        ("a\0", "/custom_id"),
        (1.5, "/custom_id"),
        (True, "/custom_id"),
        ([1], "/custom_id"),
    ],
)
def test_a_custom_id_is_a_short_text_that_can_be_written(tmp_path: Path, custom_id: Any, read_as: str | None) -> None:
    chunk = read_one(write_jsonl(tmp_path, [{"custom_id": custom_id, **GOOD}, GOOD]))
    if read_as == "/custom_id":
        assert wrong(chunk) == {0: ("invalid-row", "/custom_id")}
        assert len(chunk.errors[0].detail) < 300
        assert "\n" not in chunk.errors[0].detail
    else:
        assert (chunk.custom_ids, chunk.errors) == ([read_as, None], {})


def test_the_same_custom_id_may_come_twice(tmp_path: Path) -> None:
    assert read_one(write_jsonl(tmp_path, [{"custom_id": "a", **GOOD}] * 2)).custom_ids == ["a", "a"]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("elo,rest/days,derby,wether", "does not know: 'wether'"),
        ("Elo,rest/days,derby", "'Elo' is not 'elo'"),
        (",match_id", "index=False"),
        ("elo,elo,rest/days,derby", "more than one column of the name 'elo'"),
        ("elo, elo ,rest/days,derby", "more than one column of the name 'elo'"),
        ("elo,form", "'rest/days', 'derby'"),
        ("match_id,elo", "leave all features out"),
        ("custom_id", "send 'match_id'"),
        ("row,home,draw,away", "send 'match_id'"),
        (",".join(f"x{n}" for n in range(5000)), "and 4990 more"),
    ],
)
def test_a_file_with_other_columns_is_refused_with_their_names(tmp_path: Path, header: str, reason: str) -> None:
    with pytest.raises(InputRefused, match=reason):
        read(write_text(tmp_path, "rows.csv", f"{header}\n1\n"))
    if "elo, elo" not in header and "elo,elo" not in header:
        columns = {name: [1] for name in header.split(",")}
        with pytest.raises(InputRefused, match=reason):
            read(write_parquet(tmp_path, columns))


def test_our_own_files_can_be_sent_in_again(tmp_path: Path) -> None:
    output = f"row,custom_id,match_id,home,draw,away\n7,a,{KNOWN_MATCH},0.5,0.2,0.3\n"
    errors = f"row,custom_id,match_id,code,pointer,detail\n9,b,{OTHER_MATCH},match-not-found,/match_id,Check it.\n"
    assert read_one(write_text(tmp_path, "output.csv", output)).custom_ids == ["a"]
    assert read_one(write_text(tmp_path, "errors.csv", errors)).match_ids == [OTHER_MATCH]


def test_a_file_with_more_rows_than_it_may_have_is_refused(tmp_path: Path) -> None:
    # GIVEN the same rows in each format
    paths = [
        write_jsonl(tmp_path, [GOOD] * 11),
        write_csv(tmp_path, [GOOD] * 11, SIGNATURE.names),
        write_parquet(tmp_path, {name: [GOOD[name]] * 11 for name in SIGNATURE.names}),
    ]

    # WHEN they are read with limits
    # THEN
    for path in paths:
        assert sum(map(len, read(path, most_rows=11, chunk_rows=4))) == 11
        with pytest.raises(InputRefused, match="10"):
            read(path, most_rows=10, chunk_rows=4)
        with pytest.raises(InputRefused, match="bytes"):
            read(path, most_bytes=50)


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz", "rows.jsonl", "rows.jsonl.gz", "rows.parquet"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputRefused, match=r"empty|no rows"):
        read(write_text(tmp_path, name, b""))


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    for path in (
        write_text(tmp_path, "rows.csv", "elo,rest/days,derby\n\n"),
        write_text(tmp_path, "rows.jsonl", "\n \r\n"),
        write_parquet(tmp_path, {"match_id": []}, types={"match_id": "string"}),
    ):
        with pytest.raises(InputRefused, match="no rows"):
            read(path)
