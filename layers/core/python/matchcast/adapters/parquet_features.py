"""Features of a snapshot from their Parquet bytes: an index by match id and one float32 matrix."""

from __future__ import annotations

from typing import Any

from matchcast.errors import ManifestInvalid
from matchcast.snapshots.contract import MATCH_FEATURES_FILE
from matchcast.snapshots.features import FeatureTable

ID = "match_id"
AS_OF = "as_of"


def parse_features(body: bytes) -> FeatureTable:
    """Read `match_features.parquet`: match_id, float32 feature columns, as_of.

    Raises
    ------
    ManifestInvalid
        If the bytes are no Parquet file, or its columns are not these.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(body))
    except (pa.ArrowException, OSError) as error:
        raise ManifestInvalid(f"{MATCH_FEATURES_FILE} is no Parquet file that can be read ({error}).") from error
    names = [name for name in table.column_names if name not in (ID, AS_OF)]
    _check(table, names)
    values = np.empty((table.num_rows, len(names)), dtype=np.float32)
    for position, name in enumerate(names):
        values[:, position] = table.column(name).to_numpy()
    ids = table.column(ID).cast(pa.string()).to_pylist()
    index = {match_id: row for row, match_id in enumerate(ids)}
    if len(index) != len(ids):
        raise ManifestInvalid(f"{MATCH_FEATURES_FILE} names a match twice.")
    as_of = table.column(AS_OF).cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64()).to_pylist()
    return FeatureTable(index=index, columns=tuple(names), values=values, as_of=as_of)


def _check(table: Any, names: list[str]) -> None:
    """Refuse other columns and types than the data contract has."""
    import pyarrow as pa

    schema = table.schema
    if ID not in schema.names or AS_OF not in schema.names or not pa.types.is_timestamp(schema.field(AS_OF).type):
        raise ManifestInvalid(f"{MATCH_FEATURES_FILE} has the columns {schema.names}; '{ID}' and '{AS_OF}' are needed.")
    if wrong := [name for name in names if schema.field(name).type != pa.float32()]:
        raise ManifestInvalid(f"{MATCH_FEATURES_FILE} has features that are not float32: {', '.join(wrong)}.")
    if gaps := [name for name in table.column_names if table.column(name).null_count]:
        raise ManifestInvalid(f"{MATCH_FEATURES_FILE} has empty cells in: {', '.join(gaps)}.")
