"""Inputs as Parquet: types, damage, and files made to fill the memory."""

from __future__ import annotations

import decimal
import resource
import struct
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from matchcast.batches import parquet_rows
from matchcast.batches.memory_limit import next_in_limits
from matchcast.errors import InputRefused
from tests.support.batch_inputs import GOOD, KNOWN_MATCH, read, read_one, write_parquet, wrong


def columns(**changes: Any) -> dict[str, Any]:
    return {**{name: [value] * 2 for name, value in GOOD.items()}, **changes}


@pytest.mark.parametrize(
    ("name", "cells", "read_as"),
    [
        ("elo", pa.array([1.5, 2], pa.float16()), [1.5, 2]),
        ("elo", pa.array([1, 2], pa.uint64()), [1, 2]),
        ("elo", pa.array([1.5, 2], pa.float32()).dictionary_encode(), [1.5, 2]),
        ("elo", pa.array([decimal.Decimal("1.5"), decimal.Decimal(2)]), [1.5, 2]),
        ("rest/days", pa.array([1.0, 2.0]), [1, 2]),
        ("rest/days", pa.array([2**63 - 1, -(2**63)], pa.int64()), [2.0**63, -(2.0**63)]),
        ("form", pa.nulls(2), [np.nan, np.nan]),
        ("elo", pa.array([1.5, np.nan]), "/elo"),
        ("elo", pa.array([1.5, np.inf]), "/elo"),
        ("elo", pa.array([1.5, 1e39]), "/elo"),
        ("elo", pa.array([1.5, None]), "/elo"),
        ("form", pa.array([1.5, np.nan]), "/form"),
        ("rest/days", pa.array([1, 2**63], pa.uint64()), "/rest~1days"),
        ("rest/days", pa.array([1, 2.5]), "/rest~1days"),
        ("rest/days", pa.array([decimal.Decimal(1), decimal.Decimal(2**63)]), "/rest~1days"),
        ("custom_id", pa.array(["a", "x" * 300]), "/custom_id"),
        ("custom_id", pa.array(["a", "x" * 300], pa.large_string()).dictionary_encode(), "/custom_id"),
        ("custom_id", pa.array([b"a", b"\xe9"]).view(pa.string()), "/custom_id"),
    ],
)
def test_a_column_of_numbers_or_text_is_read_whatever_its_width(
    tmp_path: Path, name: str, cells: Any, read_as: list[float] | str
) -> None:
    chunk = read_one(write_parquet(tmp_path, columns(**{name: cells})))
    if isinstance(read_as, str):
        assert wrong(chunk) == {1: ("invalid-row", read_as)}
    else:
        place = list(GOOD).index(name)
        np.testing.assert_array_equal(chunk.values[:, place], np.array(read_as, dtype=np.float32))
        assert chunk.errors == {}


def test_ids_may_be_codes_large_texts_or_whole_numbers(tmp_path: Path) -> None:
    for cells, read_as in (
        (pa.array([7, None]), ["7", None]),
        (pa.array(["a", None], pa.large_string()), ["a", None]),
        (pa.array(["a", None]).dictionary_encode(), ["a", None]),
        (pa.nulls(2), [None, None]),
    ):
        assert read_one(write_parquet(tmp_path, columns(custom_id=cells))).custom_ids == read_as
    ids = pa.array([KNOWN_MATCH, None, "x"]).dictionary_encode()
    chunk = read_one(write_parquet(tmp_path, {"match_id": ids}))
    assert wrong(chunk) == {1: ("invalid-row", ""), 2: ("match-not-found", "/match_id")}


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("elo", pa.array(["1.5", "2"])),
        ("elo", pa.array([True, False])),
        ("elo", pa.array([[1.5], [2]])),
        ("elo", pa.array([{"a": 1}, {"a": 2}])),
        ("elo", pa.array([1, 2], pa.date32())),
        ("elo", pa.array([1, 2], pa.timestamp("ms"))),
        ("elo", pa.array([b"1", b"2"])),
        ("derby", pa.array([1, 0])),
        ("custom_id", pa.array([1.5, 2])),
        ("custom_id", pa.array([["a"], ["b"]])),
        ("match_id", pa.array([1, 2])),
    ],
)
def test_a_column_of_another_type_is_refused_with_its_name(tmp_path: Path, name: str, cells: Any) -> None:
    with pytest.raises(InputRefused, match=f"'{name}' is of type"):
        read(write_parquet(tmp_path, columns(**{name: cells})))


def test_columns_of_the_same_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table([pa.array([1.0])] * 2, names=["elo", "elo"]), path)
    with pytest.raises(InputRefused, match="more than one column"):
        read(path)


@pytest.mark.parametrize("damage", ["cut", "footer", "length", "pages", "marks"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    # GIVEN a file with something wrong
    path = write_parquet(tmp_path, columns(), compression="snappy")
    body = bytearray(path.read_bytes())
    footer = struct.unpack("<I", body[-8:-4])[0]
    damaged = {
        "cut": body[:-20],
        "footer": body[: -8 - footer] + b"\xff" * footer + body[-8:],
        "length": body[:-8] + struct.pack("<I", 2**31) + body[-4:],
        "pages": body[:4] + b"\xff" * (len(body) - footer - 12) + body[-8 - footer :],
        "marks": b"PAR1PAR1" + b"PAR1",
    }[damage]
    path.write_bytes(damaged)

    # WHEN it is read
    # THEN
    with pytest.raises(InputRefused, match=r"again|footer") as caught:
        read(path)
    assert str(tmp_path) not in caught.value.detail


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PARE" + bytes(50) + b"PARE")
    with pytest.raises(InputRefused, match="without encryption"):
        read(tmp_path / "rows.parquet")


def test_a_small_file_of_very_many_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a file that packs zeros, and one of very many row groups
    rows = 200_000
    path = write_parquet(
        tmp_path,
        columns(**{name: np.zeros(rows, dtype=np.asarray([v]).dtype) for name, v in GOOD.items()}),
        use_dictionary=False,
        compression="zstd",
    )
    assert path.stat().st_size < 10_000

    # WHEN they are read
    # THEN
    with pytest.raises(InputRefused, match="when it is unpacked"):
        read(path, most_bytes=1_000_000)
    monkeypatch.setattr(parquet_rows, "_MOST_ROW_GROUPS", 10)
    with pytest.raises(InputRefused, match="row groups"):
        read(write_parquet(tmp_path, {"match_id": ["a"] * 11}, "groups.parquet", row_group_size=1))


def test_a_long_text_in_every_row_is_never_repeated_in_memory(tmp_path: Path) -> None:
    # GIVEN a text of 1 MB that 1,000 rows share: 1 GB, if each row had its own
    codes = np.ones(1000, dtype=np.int32)
    codes[0] = 0
    ids = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(["short", "x" * 1_000_000]))
    path = write_parquet(tmp_path, {"custom_id": ids, "match_id": [KNOWN_MATCH] * 1000}, store_schema=False)
    before = pa.default_memory_pool().max_memory()

    # WHEN it is read
    tracemalloc.start()
    chunk = read_one(path, chunk_rows=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    # THEN
    assert set(chunk.errors) == set(range(1, 1000))
    assert peak < 50_000_000
    assert pa.default_memory_pool().max_memory() < max(before, 100_000_000)


def test_a_page_larger_than_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a page of 128 MiB, and less memory than that (a footer may say less of a page than it has)
    monkeypatch.setattr(parquet_rows, "next_in_limits", partial(next_in_limits, most_bytes=32 * 1024**2))
    before = resource.getrlimit(resource.RLIMIT_DATA)
    path = tmp_path / "large.parquet"
    pq.write_table(pa.table(columns(custom_id=["x" * 128 * 1024**2, "b"])), path, use_dictionary=False)

    # WHEN
    with pytest.raises(InputRefused, match="takes too much memory after row 0; write it with smaller pages"):
        read(path)

    # THEN the process has the memory that it had
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
