"""The dataset that snapshots are made of: its files, their columns, and how it is read from the data bucket."""

from __future__ import annotations

import pyarrow as pa

from matchcast.domain.manifests import DATASET_MANIFEST_KEY, DatasetManifest
from matchcast.errors import ManifestInvalid
from matchcast.ports import ObjectStore
from matchcast.releases.files import read_files
from matchcast.snapshots.contract import ODDS_COLUMNS
from matchcast.snapshots.parquet import TYPES, arrow_schema

MATCHES_FILE = "matches.parquet"
ODDS_FILE = "odds.parquet"
FEATURES_FILE = "match_features.parquet"

STATISTICS = ("home_shots", "away_shots")

MOMENT = TYPES["time"]

MATCHES_SCHEMA = arrow_schema(
    {
        "match_id": "text",
        **dict.fromkeys(("division", "region", "league", "season"), "repeated"),
        "date": "day",
        "kickoff": "time",
        **dict.fromkeys(("home_team", "away_team"), "repeated"),
        **dict.fromkeys(("home_goals", "away_goals"), "small"),
        **dict.fromkeys(("result", "status"), "repeated"),
        **dict.fromkeys(STATISTICS, "small"),
    }
)
"""One row a match; goals, result and shots are null where they are not known."""
ODDS_SCHEMA = arrow_schema(ODDS_COLUMNS)
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
