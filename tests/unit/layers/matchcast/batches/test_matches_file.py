"""Files of a batch of matches: the input says what it was given, and an output is read as what it has to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from matchcast.batches.input_rows import InputReader
from matchcast.batches.matches_file import ROWS_AT_ONCE, read_probabilities, write_matches
from matchcast.domain.batch import FileFormat, InputFile
from matchcast.domain.signature import Column, Signature
from matchcast.errors import ReleaseRefused

SIGNATURE = Signature(
    inputs=(Column(name="elo", type="double"), Column(name="derby", type="boolean"), Column(name="rest", type="long"))
)
COUNT = ROWS_AT_ONCE + 3


def features(count: int) -> Any:
    numbers = np.arange(count, dtype=np.float32)
    return np.stack([numbers / 7, numbers % 2, -numbers], axis=1)


def ids(count: int) -> list[str]:
    return [f"e0-2026-03-07-alder-{number}" for number in range(count)]


def test_a_batch_reads_every_feature_as_it_was(tmp_path: Path) -> None:
    # GIVEN
    path, rows = tmp_path / "input", features(COUNT)
    # WHEN
    write_matches(path, SIGNATURE, ids(COUNT), rows)
    file = InputFile(key="x", version_id=None, etag="", size=0, format=FileFormat.PARQUET)
    chunks = list(InputReader(SIGNATURE, None).read(path, file, 10_000))
    # THEN
    assert [chunk.errors for chunk in chunks] == [{}] * len(chunks)
    np.testing.assert_array_equal(np.concatenate([chunk.values for chunk in chunks]), rows)
    assert [each for chunk in chunks for each in chunk.custom_ids] == ids(COUNT)
    # AND the same matches give the same bytes
    write_matches(tmp_path / "again", SIGNATURE, ids(COUNT), rows)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_half_a_boolean_is_refused(tmp_path: Path) -> None:
    rows = features(4)
    rows[2, 1] = 0.5
    with pytest.raises(ReleaseRefused, match="derby has to be true or false"):
        write_matches(tmp_path / "input", SIGNATURE, ids(4), rows)


def output(path: Path, names: list[str], values: Any) -> Path:
    columns = dict(zip(("home", "draw", "away"), np.asarray(values, dtype=np.float64).T, strict=True))
    pq.write_table(pa.table({"row": range(len(names)), "custom_id": names, **columns}), path)
    return path


def test_an_output_is_read_in_its_order(tmp_path: Path) -> None:
    values = np.random.default_rng(0).dirichlet([1, 1, 1], COUNT)
    found = read_probabilities(output(tmp_path / "output", ids(COUNT), values), ids(COUNT))
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    ("names", "values", "reason"),
    [
        (ids(3)[::-1], [[0.5, 0.3, 0.2]] * 3, "other matches, or in another order"),
        (ids(2), [[0.5, 0.3, 0.2]] * 2, "2 matches of 3"),
        (ids(4), [[0.5, 0.3, 0.2]] * 4, "other matches"),
        (ids(3), [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.3]], "no probabilities"),
        (ids(3), [[0.5, 0.3, 0.2], [1.5, -0.3, -0.2], [0.5, 0.3, 0.2]], "no probabilities"),
        (ids(3), [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [np.nan, 0.3, 0.2]], "no probabilities"),
    ],
)
def test_an_output_that_is_none_of_these_matches_is_refused(
    tmp_path: Path, names: list[str], values: Any, reason: str
) -> None:
    with pytest.raises(ReleaseRefused, match=reason):
        read_probabilities(output(tmp_path / "output", names, values), ids(3))
