"""Files of parts, the sizes of parts, and joined files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from matchcast.batches.ahead import ahead
from matchcast.batches.input_cells import Chunk
from matchcast.batches.joined_file import ROWS_A_GROUP, JoinedFile
from matchcast.batches.part_files import (
    ERRORS,
    OUTPUT,
    count_rows,
    decode_errors,
    decode_output,
    encode_table,
    in_row_order,
    read_part_input,
    write_part_input,
)
from matchcast.batches.part_rows import part_rows
from matchcast.domain.batch import FileFormat, RowError
from matchcast.errors import ModelFailed

if TYPE_CHECKING:
    from matchcast.ports import Rows

FORMATS = [FileFormat.PARQUET, FileFormat.JSONL]


def a_chunk(count: int = 5, first: int = 20) -> Chunk:
    values = np.arange(count * 2, dtype=np.float32).reshape(count, 2)
    values[1] = np.nan
    who: list[str | None] = [None, *(f'c"{number}\n' for number in range(1, count))]
    return Chunk(first, who, [None] * count, values, {first + 1: RowError("invalid-row", "/x", "Sende é.")})


def test_the_input_of_a_part_is_read_as_it_was_written() -> None:
    # WHEN a feature has the name of another column
    chunk = a_chunk()
    rows = read_part_input(write_part_input(["row", "code"], chunk))

    # THEN
    np.testing.assert_array_equal(rows.values, chunk.values)
    assert rows.values.flags.c_contiguous
    assert rows.known.column("row").to_pylist() == [20, 21, 22, 23, 24]
    assert rows.known.column("custom_id").to_pylist() == list(chunk.custom_ids)
    assert rows.good.tolist() == [0, 2, 3, 4]
    assert rows.invalid.to_pylist()[0] | {"custom_id": None} == {
        "row": 21,
        "custom_id": None,
        "match_id": None,
        "code": "invalid-row",
        "pointer": "/x",
        "detail": "Sende é.",
    }


@pytest.mark.parametrize("file_format", FORMATS)
def test_predictions_and_errors_are_read_as_they_were_written_and_give_the_same_bytes(file_format: FileFormat) -> None:
    # WHEN
    rows = read_part_input(write_part_input(["a", "b"], a_chunk()))
    output = rows.predictions(rows.good[:2], np.array([[1 / 3, 2 / 7, 1 - 1 / 3 - 2 / 7], [1, 0, 0]]))
    errors = in_row_order(rows.failures(rows.good[2:], RowError("x", "", "y")), rows.invalid)
    bodies = [encode_table(table, file_format) for table in (output, errors)]

    # THEN
    assert decode_output(bodies[0], file_format).equals(output)
    assert decode_errors(bodies[1], file_format).equals(errors)
    assert [count_rows(body, file_format) for body in bodies] == [2, 3]
    assert [encode_table(table, file_format) for table in (output, errors)] == bodies
    assert rows.without(output).tolist() == [3, 4]
    assert errors.column("row").to_pylist() == [21, 23, 24]
    assert decode_output(encode_table(OUTPUT.empty_table(), file_format), file_format).num_rows == 0


def test_a_joined_file_has_large_groups_whatever_the_parts_have(tmp_path: Path) -> None:
    # GIVEN
    rows = np.arange(2 * ROWS_A_GROUP + 7)
    who = {"custom_id": pa.nulls(len(rows), pa.string()), "match_id": pa.nulls(len(rows), pa.string())}
    numbers = {name: pa.array(rows / 7, pa.float64()) for name in ("home", "draw", "away")}
    whole = pa.table({"row": pa.array(rows), **who, **numbers}, schema=OUTPUT)

    # WHEN
    bodies = []
    for name, step in (("small", 1000), ("large", 30_000)):
        with JoinedFile(tmp_path / name, OUTPUT, FileFormat.PARQUET) as joined:
            for at in range(0, len(rows), step):
                joined.add(encode_table(whole.slice(at, step), FileFormat.PARQUET))
        bodies.append(joined.path.read_bytes())

    # THEN
    metadata = pq.ParquetFile(tmp_path / "small").metadata
    assert [metadata.row_group(at).num_rows for at in range(3)] == [ROWS_A_GROUP, ROWS_A_GROUP, 7]
    assert pq.read_table(tmp_path / "small").equals(whole)
    assert bodies[0] == bodies[1]


def test_an_empty_joined_file_still_has_its_columns(tmp_path: Path) -> None:
    with JoinedFile(tmp_path / "errors", ERRORS, FileFormat.PARQUET) as joined:
        pass

    assert pq.read_table(joined.path).schema.names == ERRORS.names


def test_no_more_calls_than_allowed_are_ahead_of_what_is_taken() -> None:
    # WHEN
    begun: list[int] = []

    def call(item: int) -> int:
        begun.append(item)
        return item

    results = ahead(call, range(10), 3)
    taken = [next(results) for _ in range(2)]

    # THEN
    assert taken == [0, 1]
    assert max(begun) <= 4
    assert list(results) == list(range(2, 10))


def test_what_a_call_raises_is_raised_in_its_place() -> None:
    def call(item: int) -> int:
        return 10 // item

    results = ahead(call, [5, 0, 1], 2)
    assert next(results) == 2
    with pytest.raises(ZeroDivisionError):
        next(results)


@dataclass
class Slow:
    """A model that takes some seconds a row, on a clock of its own."""

    seconds_a_row: float
    now: float = 0.0
    calls: list[int] = field(default_factory=list)

    def predict(self, rows: Rows) -> Rows:
        self.calls.append(len(rows))
        self.now += self.seconds_a_row * len(rows)
        return np.zeros((len(rows), 3), np.float32)

    def clock(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds_a_row", "rows"),
    [(0, 10_000), (0.0004, 10_000), (0.0006, 5_000), (0.004, 1_000), (0.04, 100), (30, 100)],
)
def test_a_part_has_as_many_rows_as_the_model_predicts_in_five_seconds(seconds_a_row: float, rows: int) -> None:
    model = Slow(seconds_a_row)

    assert part_rows(model, iter([a_chunk()]), model.clock) == rows
    assert model.now <= max(10.0, 2 * seconds_a_row), "the measurement itself is short"


def test_a_model_that_fails_on_the_sample_and_a_sample_without_good_rows_have_a_size_too() -> None:
    class Broken:
        def predict(self, rows: Any) -> Any:
            raise ModelFailed("no")

    def nothing() -> Iterator[Chunk]:
        yield a_chunk(2)

    wrong = Chunk(0, [None], [None], np.full((1, 2), np.nan, np.float32), {0: RowError("x", "", "y")})
    assert part_rows(Broken(), nothing()) == 1_000
    assert part_rows(Broken(), [wrong]) == 10_000
