"""The dataset that snapshots are made of: its files, their columns, and how it is read from the data bucket."""

from __future__ import annotations

import pyarrow as pa

from matchcast.domain.manifests import DATASET_MANIFEST_KEY, DatasetManifest
from matchcast.errors import ManifestInvalid
from matchcast.ports import ObjectStore
from matchcast.releases.readers import read_files

MATCHES_FILE = "matches.parquet"
ODDS_FILE = "odds.parquet"
FEATURES_FILE = "match_features.parquet"

STATISTICS = ("home_shots", "away_shots")

_TEXT = pa.string()
_FEW = pa.dictionary(pa.int32(), pa.string())
MOMENT = pa.timestamp("ms", tz="UTC")

MATCHES = pa.schema(
    [
        ("match_id", _TEXT),
        ("division", _FEW),
        ("region", _FEW),
        ("league", _FEW),
        ("season", _FEW),
        ("date", pa.date32()),
        ("kickoff", MOMENT),
        ("home_team", _FEW),
        ("away_team", _FEW),
        ("home_goals", pa.int16()),
        ("away_goals", pa.int16()),
        ("result", _FEW),
        ("status", _FEW),
        *((name, pa.int16()) for name in STATISTICS),
    ]
)
"""One row a match; goals, result and shots are null where they are not known."""

ODDS = pa.schema(
    [
        ("match_id", _TEXT),
        ("bookmaker", _FEW),
        ("home", pa.float64()),
        ("draw", pa.float64()),
        ("away", pa.float64()),
        ("taken_at", MOMENT),
    ]
)
"""Decimal odds; those with `taken_at` equal to the kick-off are closing odds."""


def plain(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values of a dictionary type, or the type itself."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema with text in place of dictionaries."""
    return pa.schema([(entry.name, plain(entry.type)) for entry in schema])


def read_dataset(objects: ObjectStore) -> tuple[DatasetManifest, dict[str, bytes]]:
    """Return the published dataset's manifest and files, each verified.

    Raises
    ------
    ReleaseRefused
        If no dataset is published, or a file is not the one that was.
    """
    stored = objects.get(DATASET_MANIFEST_KEY)
    if stored is None:
        raise ManifestInvalid("No dataset is published yet. Run `matchcast snapshot`, which uploads the local one.")
    manifest = DatasetManifest.parse(stored.body, DATASET_MANIFEST_KEY)
    return manifest, read_files(objects, manifest.prefix, manifest.files, (MATCHES_FILE, ODDS_FILE, FEATURES_FILE))
