"""Features from Parquet bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from matchcast.adapters.parquet_features import parse_features
from matchcast.errors import ManifestInvalid

AS_OF = [datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, 7, 0, 0, 500_000, tzinfo=UTC)]


def features(**changes: Any) -> bytes:
    columns: dict[str, Any] = {
        "match_id": pa.array(["e0-2026-11-21-a-b", "e0-2026-11-22-c-d"]),
        "elo": pa.array([1500.5, 1499.25], pa.float32()),
        "form": pa.array([1.0, 0.25], pa.float32()),
        "as_of": pa.array(AS_OF, pa.timestamp("ms", tz="UTC")),
    }
    columns.update(changes)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({name: array for name, array in columns.items() if array is not None}), sink)
    return bytes(sink.getvalue().to_pybytes())


def test_has_an_index_the_feature_names_and_one_matrix() -> None:
    table = parse_features(features())

    assert dict(table.index) == {"e0-2026-11-21-a-b": 0, "e0-2026-11-22-c-d": 1}
    assert table.columns == ("elo", "form")
    assert table.values.dtype == np.float32
    assert table.values.tolist() == [[1500.5, 1.0], [1499.25, 0.25]]
    assert [datetime.fromtimestamp(moment / 1000, UTC) for moment in table.as_of] == AS_OF


def test_reads_dictionary_encoded_ids() -> None:
    table = parse_features(features(match_id=pa.array(["a-1", "b-2"]).dictionary_encode()))
    assert list(table.index) == ["a-1", "b-2"]


@pytest.mark.parametrize("body", [b"", b"PAR1 but not really", features()[:-8]], ids=["empty", "garbage", "truncated"])
def test_refuses_what_is_no_parquet_file(body: bytes) -> None:
    with pytest.raises(ManifestInvalid, match="no Parquet"):
        parse_features(body)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"match_id": None}, "match_id"),
        ({"as_of": None}, "as_of"),
        ({"as_of": pa.array(["a", "b"])}, "as_of"),
        ({"elo": pa.array([1.0, 2.0], pa.float64())}, "not float32: elo"),
        ({"form": pa.array([1.0, None], pa.float32())}, "empty cells in: form"),
        ({"match_id": pa.array(["twin", "twin"])}, "twice"),
    ],
)
def test_refuses_other_columns_than_the_contract_has(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ManifestInvalid, match=reason):
        parse_features(features(**changes))
